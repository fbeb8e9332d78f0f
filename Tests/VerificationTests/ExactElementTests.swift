import Architectures
import Checkpoints
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Exact elements are held to the bit, and whichever of several right answers a model has, it is right.
@Suite struct ExactElementTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func protect(_ source: Checkpoint, _ method: ProtectionMethod = .lossless) throws -> EditableModel {
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)), options: ProtectionOptions(method: method))
        return try EditableModel(reading: folder("p"))
    }

    private func verify(_ original: Checkpoint, _ model: EditableModel) throws -> VerificationReport {
        Files.remove(folder("c"))
        try model.write(to: folder("c"))
        try Files.write(
            try Files.read(folder("p") + "/" + Manifest.fileName), to: folder("c") + "/" + Manifest.fileName)
        return try AlgebraicVerification(threads: 1).verify(original, Checkpoint(opening: folder("c")))
    }

    /// The lowest bit of one weight in each tensor of the sites.
    @Test(arguments: ["llama", "llama_bf16", "llama_f16", "bert", "gpt2", "qwen3", "phi3_partial", "opt", "gpt_oss"])
    func oneUlpFails(name: String) throws {
        let original = try Checkpoint(opening: Fixtures.path(name))
        let model = try protect(original)
        let sound = try verify(original, model)
        #expect(sound.holds && sound.sites.allSatisfy { $0.invariantError == 0 }, "\(sound.failures)")
        var stream = KeyedRandomStream(secret: [], info: name)
        for tensor in Set(try Architecture.resolve(original).sites.flatMap(\.slices).map(\.tensor)).sorted() {
            var changed = model
            let place = try changed.index(tensor)
            let size = changed.tensors[place].type.bitWidth / 8
            let element = stream.nextIndex(below: changed.tensors[place].bytes.count / size)
            changed.tensors[place].bytes[element * size] ^= 1
            let report = try verify(original, changed)
            #expect(!report.holds && report.failures.count == 1, "\(tensor) \(element)")
        }
    }

    private static let shapes = ["duplicates", "opposites", "zero gates", "zero channels", "zero heads", "all zero"]

    /// Channels that nothing tells apart, and heads of zeros.
    @Test(
        arguments: shapes, [("llama_bf16", ProtectionMethod.lossless), ("llama_bf16", .mergelock), ("bert", .lossless)])
    func ambiguityIsNoFault(shape: String, choice: (name: String, method: ProtectionMethod)) throws {
        var model = try EditableModel(reading: Fixtures.path(choice.name))
        let sites = try Architecture.resolve(Checkpoint(opening: Fixtures.path(choice.name))).sites
        for site in sites {
            for slice in site.slices {
                let places = try (0..<site.group.dimension).map {
                    try model.places(slice.tensor, axis: slice.axis, slice.start + $0, across: slice.across)
                }
                try model.editFloats(slice.tensor) { values in
                    for channel in places.indices {
                        for (place, twin) in zip(places[channel], places[0]) {
                            switch shape {
                            case "duplicates" where channel % 3 == 0: values[place] = values[twin]
                            case "opposites" where channel % 3 == 0 && channel > 0:
                                values[place] = slice.representation == .permutation ? values[twin] : -values[twin]
                            case "zero gates" where slice.representation == .permutation: values[place] = 0
                            case "zero channels" where channel % 4 == 1: values[place] = 0
                            case "zero heads" where site.kind != .mlp: values[place] = 0
                            case "all zero": values[place] = 0
                            default: break
                            }
                        }
                    }
                }
            }
        }
        let original = try Checkpoint(opening: try model.write(to: folder("m")))
        let report = try verify(original, protect(original, choice.method))
        #expect(report.failures.isEmpty, "\(report.failures.prefix(2))")
        // Zeros under a permutation are where they were: what did not move is not what the manifest says.
        if !shape.contains("zero") { #expect(report.holds) }
    }
}
