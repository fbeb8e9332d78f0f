import Architectures
import Checkpoints
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Locks that move the channels of residual streams and whole experts: what is wrong with them is seen.
@Suite struct OuterSiteTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func exchange(_ model: inout EditableModel, _ names: [String], _ a: Int, _ b: Int) throws {
        let (x, y) = (try model.index(names[a]), try model.index(names[b]))
        (model.tensors[x].bytes, model.tensors[y].bytes) = (model.tensors[y].bytes, model.tensors[x].bytes)
    }

    /// Two channels, or two experts, exchanged in all of a site's slices compute the same; in all but one they do not, and both proofs
    /// see it.
    @Test(
        arguments: [
            "llama", "gpt2", "gemma2", "bert_masked_lm", "t5", "vit_msn_classifier", "whisper", "mixtral", "qwen2_moe",
            "gpt_oss",
            "deepseek_v3", "llama4_text",
        ], [ProtectionMethod.lossless, .full])
    func exchangedByHalves(name: String, method: ProtectionMethod) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(method: method)
        options.siteKinds = Set(Site.Kind.allCases)
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        let locked = try EditableModel(reading: folder("p"))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        func reports(_ model: EditableModel) throws -> (VerificationReport, FunctionalReport) {
            Files.remove(folder("c"))
            try model.write(to: folder("c"))
            try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
            let pair = try ModelPair(source, Checkpoint(opening: folder("c")), threads: 1)
            return (
                try AlgebraicVerification(threads: 1).verify(pair), try FunctionalVerification(threads: 1).verify(pair)
            )
        }
        let sites = try Architecture.resolve(source).outerSites.filter { $0.kind != .heads }
        #expect(!sites.isEmpty)
        var seen: Set<Site.Kind> = []
        for site in sites where seen.insert(site.kind).inserted {
            var whole = locked
            for slice in site.slices { try whole.exchange(slice, 0, 1) }
            for names in site.exchanges { try exchange(&whole, names, 0, 1) }
            let (weights, outputs) = try reports(whole)
            // Exchanging them may take the lock's own move back, which is all that is said then.
            #expect(weights.failures.isEmpty && weights.problems.allSatisfy { $0.contains("has not moved") })
            #expect(outputs.holds)
            let step = max(1, site.slices.count / 8)
            for left in site.slices.enumerated().filter({ $0.offset % step == 0 }).map(\.element) {
                var half = whole
                try half.exchange(left, 0, 1)
                let (weights, outputs) = try reports(half)
                #expect(!weights.holds, "\(site.path) without \(left)")
                #expect(!outputs.holds, "\(site.path) without \(left)")
            }
            for names in site.exchanges {
                var half = whole
                try exchange(&half, names, 0, 1)
                let (weights, outputs) = try reports(half)
                #expect(!weights.holds && !outputs.holds, "\(site.path) without \(names[0])")
            }
        }
    }

    /// A bit beside all channels that elements mix: a row that only the residual stream's permutation reaches.
    @Test(arguments: ["llama", "deepseek_v3"])
    func oneBitOfATable(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: key, options: ProtectionOptions(method: .full))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        let architecture = try Architecture.resolve(source)
        let channels = Set(architecture.sites.flatMap(\.slices).map(\.tensor))
        for (tensor, _) in architecture.roles where !channels.contains(tensor) {
            var model = try EditableModel(reading: folder("p"))
            let place = try model.index(tensor)
            model.tensors[place].bytes[model.tensors[place].bytes.count / 2] ^= 1
            Files.remove(folder("c"))
            try model.write(to: folder("c"))
            try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
            let report = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("c")))
            #expect(!report.holds, "\(tensor)")
        }
    }

    /// Tensors of a protected model that were cut short are a fault, wherever an outer element would have them looked at.
    @Test(arguments: ["gpt_oss", "mixtral", "bert_masked_lm"])
    func tensorsCutShort(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: key, options: ProtectionOptions(method: .full))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        for place in try EditableModel(reading: folder("p")).tensors.indices {
            for axis in 0..<2 {
                var model = try EditableModel(reading: folder("p"))
                var tensor = model.tensors[place]
                guard axis < tensor.shape.count, tensor.shape[axis] > 1 else { continue }
                tensor.bytes.removeLast(tensor.bytes.count / tensor.shape[axis])
                tensor.shape[axis] -= 1
                model.tensors[place] = tensor
                Files.remove(folder("c"))
                try model.write(to: folder("c"))
                try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
                let report = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("c")))
                #expect(!report.holds, "\(tensor.name)")
            }
        }
    }
}
