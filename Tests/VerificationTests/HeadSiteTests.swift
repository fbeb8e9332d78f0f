import Architectures
import Checkpoints
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Locks that move whole heads: proved, restored, and what is wrong with them seen.
@Suite struct HeadSiteTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func protect(_ name: String, _ method: ProtectionMethod) throws -> (Checkpoint, Checkpoint) {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(method: method)
        options.siteKinds = Set(Site.Kind.allCases)
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        return (source, try Checkpoint(opening: folder("p")))
    }

    /// Both proofs hold, every site has moved, and the original comes back, of exact elements bit for bit.
    @Test(arguments: Fixtures.recorded, [ProtectionMethod.lossless, .full])
    func soundLocksPass(name: String, method: ProtectionMethod) throws {
        let (source, locked) = try protect(name, method)
        let report = try AlgebraicVerification(threads: 1).verify(source, locked)
        #expect(report.holds, "\(report.failures.prefix(2)) \(report.problems)")
        let heads = try Architecture.resolve(source).headSites
        #expect(report.sites.filter { $0.kind == .heads }.count == heads.count)
        #expect(report.sites.allSatisfy { $0.kind != .heads || $0.isMoved })
        let outputs = try FunctionalVerification(threads: 1).verify(source, locked)
        #expect(outputs.holds, "\(String(describing: outputs.comparison.firstFault))")
        let restored = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(restored.proof?.holds == true && (method == .full || restored.proof?.isBitForBit == true))
        guard method == .full else { return }
        let (before, after) = (try EditableModel(reading: source.path), try EditableModel(reading: folder("r")))
        for tensor in before.tensors where tensor.type.isComputable {
            let (a, b) = (try before.floats(tensor.name), try after.floats(tensor.name))
            let size = a.reduce(0) { $0 + $1 * $1 }
            let error = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let roundoff = tensor.type.unitRoundoff ?? 0
            #expect(error.squareRoot() <= 20 * roundoff * size.squareRoot(), "\(tensor.name)")
        }
    }

    /// Two heads exchanged in all of a site's slices compute the same; in all but one they do not, and both proofs see it, but for
    /// biases of keys, which change no output without rotary embedding.
    @Test(
        arguments: ["llama", "bert", "gpt2", "gpt_neox", "falcon_new", "gpt_oss", "olmo2", "cohere_qk", "deepseek_v3"],
        [ProtectionMethod.lossless, .full])
    func headsExchangedByHalves(name: String, method: ProtectionMethod) throws {
        let (source, _) = try protect(name, method)
        let locked = try EditableModel(reading: folder("p"))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        func reports(_ model: EditableModel) throws -> (VerificationReport, FunctionalReport) {
            Files.remove(folder("c"))
            try model.write(to: folder("c"))
            try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
            let changed = try Checkpoint(opening: folder("c"))
            return (
                try AlgebraicVerification(threads: 1).verify(source, changed),
                try FunctionalVerification(threads: 1).verify(source, changed)
            )
        }
        for site in try Architecture.resolve(source).headSites.prefix(3) {
            var whole = locked
            for slice in site.slices { try whole.exchange(slice, 0, 1) }
            let (weights, outputs) = try reports(whole)
            // Exchanging them may take the lock's own move back, which is all that is said then.
            #expect(weights.failures.isEmpty && weights.problems.allSatisfy { $0.contains("has not moved") })
            #expect(outputs.holds)
            for left in site.slices {
                var half = locked
                for slice in site.slices where slice != left { try half.exchange(slice, 0, 1) }
                guard half.tensors.map(\.bytes) != whole.tensors.map(\.bytes) else { continue }
                let (weights, outputs) = try reports(half)
                #expect(!weights.holds, "\(site.path) without \(left)")
                #expect(!outputs.holds || left.part == .key, "\(site.path) without \(left)")
            }
        }
    }
}
