import Architectures
import Checkpoints
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// `--exhaustive`: every entry of the products, beside the probes.
@Suite struct ExhaustiveTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func verify(_ original: Checkpoint, _ path: String, exhaustive: Bool) throws -> VerificationReport {
        try AlgebraicVerification(threads: 1, isExhaustive: exhaustive).verify(original, Checkpoint(opening: path))
    }

    /// Sound locks pass; a sign in any slice of any site fails, and the entry that is named is one of a product.
    @Test(arguments: ["llama_bf16", "llama_biases", "gpt2", "llama_f16", "t5"])
    func everyEntryIsCompared(name: String) throws {
        let original = try Checkpoint(opening: Fixtures.path(name))
        _ = try Protector.unsynchronized.protect(
            original, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(method: .mergelock))
        let sound = try verify(original, folder("p"), exhaustive: true)
        #expect(sound.holds, "\(sound.failures.prefix(2))")
        let sites = try Architecture.resolve(original).sites.filter {
            if case .generalLinear = $0.group { true } else { false }
        }
        let locked = try EditableModel(reading: folder("p"))
        for site in [sites.first, sites.last].compactMap(\.self) {
            for slice in site.slices where !slice.tensor.hasSuffix("bias") {
                var changed = locked
                let places = try changed.places(slice.tensor, axis: slice.axis, slice.start + 1, across: slice.across)
                try changed.editFloats(slice.tensor) { values in
                    if let largest = places.max(by: { values[$0].magnitude < values[$1].magnitude }) {
                        values[largest] *= -1
                    }
                }
                Files.remove(folder("c"))
                try changed.write(to: folder("c"))
                try Files.write(
                    try Files.read(folder("p") + "/" + Manifest.fileName), to: folder("c") + "/" + Manifest.fileName)
                let probed = try verify(original, folder("c"), exhaustive: false)
                let failed = try #require(
                    try verify(original, folder("c"), exhaustive: true).failures.first { $0.path == site.path })
                let beside = try #require(probed.failures.first { $0.path == site.path })
                // No probe can name an entry, nor an error that spreads over fewer channels than all.
                #expect(failed.worst.contains("with input") || failed.invariantError == beside.invariantError)
                #expect(failed.invariantError >= beside.invariantError)
            }
        }
    }

    /// An error in a single entry of the product, below what its row and its column are rounded by: probes can't tell, the entry does.
    @Test func whatHidesInItsColumn() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        let site = try #require(
            try Architecture.resolve(Checkpoint(opening: Fixtures.path("llama"))).sites.first {
                $0.kind == .valueOutput
            })
        // Input 0 reaches output 0 by channel 0 alone, which carries nothing else.
        let direct = try #require(site.slices.first { $0.representation == .direct })
        let dual = try #require(site.slices.first { $0.representation == .dual })
        func places(_ slice: Site.Slice, _ channel: Int) throws -> [Int] {
            try model.places(slice.tensor, axis: slice.axis, slice.start + channel, across: slice.across)
        }
        let (entry, others) = (try places(direct, 0)[0], try places(direct, 0).dropFirst())
        let odd = try stride(from: 1, to: site.group.dimension, by: 2).map { try places(direct, $0)[0] }
        let even = try stride(from: 2, to: site.group.dimension, by: 2).map { try places(dual, $0)[0] }
        let own = try places(dual, 0).dropFirst()
        try model.editFloats(direct.tensor) { values in
            for place in others + odd { values[place] = 0 }
            values[entry] = 1e-7
        }
        try model.editFloats(dual.tensor) { values in for place in own + even { values[place] = 0 } }
        let original = try Checkpoint(opening: try model.write(to: folder("m")))
        try model.editFloats(direct.tensor) { $0[entry] = 1.01e-7 }
        try model.write(to: folder("c"))
        #expect(try verify(original, folder("c"), exhaustive: false).failures.isEmpty)
        let failed = try #require(try verify(original, folder("c"), exhaustive: true).failures.first)
        #expect(failed.path == site.path && failed.worst.contains("with input"))
    }
}
