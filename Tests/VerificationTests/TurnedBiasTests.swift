import Checkpoints
import Protections
import Rewriting
import TestSupport
import Testing
import Verification

/// Streams are turned behind norms with a bias: `g∘n + b = g∘(n + b/g)`, the readers take g, and `R·(b/g)` is left of b.
@Suite struct TurnedBiasTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private static let norms = [
        "gpt2": ["transformer.h.0.ln_1", "transformer.h.1.ln_2", "transformer.ln_f"],
        "phi": ["model.layers.0.input_layernorm", "model.final_layernorm"],
    ]

    private func protect(_ source: Checkpoint, to path: String) throws -> Checkpoint {
        var options = ProtectionOptions(repeatable: .full)
        options.residual = .rotation
        _ = try Protector.unsynchronized.protect(source, to: path, key: key, options: options)
        return try Checkpoint(opening: path)
    }

    /// A bias that was forgotten, turned without the division, divided and not turned, another norm's, of the wrong sign, or gone: both
    /// proofs see each.
    @Test(arguments: norms.keys.sorted())
    func plantedFaults(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let locked = try EditableModel(reading: protect(source, to: folder("p")).path)
        // The same key and nonce give the same R: beside gains of 1 it turns biases as they are.
        let original = try EditableModel(reading: source.path)
        var plain = original
        let norms = try #require(Self.norms[name])
        for norm in norms { try plain.edit(norm + ".weight") { for i in $0.indices { $0[i] = 1 } } }
        try plain.write(to: folder("m"))
        let undivided = try EditableModel(reading: protect(Checkpoint(opening: folder("m")), to: folder("q")).path)
        func isSeen(_ what: String, _ norm: String, _ values: [Float]) throws {
            var model = locked
            try model.edit(norm + ".bias") { $0 = values }
            Files.remove(folder("c"))
            try model.write(to: folder("c"))
            try Files.write(
                Files.read(folder("p") + "/" + Manifest.fileName), to: folder("c") + "/" + Manifest.fileName)
            let pair = try ModelPair(source, Checkpoint(opening: folder("c")), threads: 1)
            #expect(!(try AlgebraicVerification(threads: 1).verify(pair).holds), "\(norm): \(what), from the weights")
            #expect(!(try FunctionalVerification(threads: 1).verify(pair).holds), "\(norm): \(what), from the outputs")
        }
        for (number, norm) in norms.enumerated() {
            let (bias, gain) = (try original.values(norm + ".bias"), try original.values(norm + ".weight"))
            let own = try locked.values(norm + ".bias")
            try isSeen("forgotten", norm, bias)
            try isSeen("not divided", norm, undivided.values(norm + ".bias"))
            try isSeen("not turned", norm, zip(bias, gain).map { $0 / $1 })
            try isSeen("another's", norm, locked.values(norms[(number + 1) % norms.count] + ".bias"))
            try isSeen("negative", norm, own.map { -$0 })
            try isSeen("gone", norm, own.map { _ in 0 })
        }
    }

    /// In 16 bits, too, both proofs hold and the norms' gains come back bit for bit.
    @Test(arguments: norms.keys.sorted(), [ElementType.bf16, .f16])
    func inFewBits(name: String, type: ElementType) throws {
        var model = try EditableModel(reading: Fixtures.path(name))
        try model.round(to: type)
        try model.write(to: folder("m"))
        let source = try Checkpoint(opening: folder("m"))
        let locked = try protect(source, to: folder("p"))
        let pair = try ModelPair(source, locked, threads: 1)
        let report = try AlgebraicVerification(threads: 1).verify(pair)
        #expect(report.holds, "\(report.failures.prefix(2)) \(report.problems)")
        #expect(try FunctionalVerification(threads: 1).verify(pair).holds)
        _ = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        let back = try EditableModel(reading: folder("r"))
        for norm in try #require(Self.norms[name]) {
            let place = try model.index(norm + ".weight")
            #expect(model.tensors[place].bytes == back.tensors[try back.index(norm + ".weight")].bytes)
            let (a, b) = (try model.floats(norm + ".bias"), try back.floats(norm + ".bias"))
            let size = a.reduce(0) { $0 + $1 * $1 }
            let error = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            #expect(error.squareRoot() <= 4 * (type.unitRoundoff ?? 0) * size.squareRoot(), "\(norm)")
        }
    }

    /// Where a small gain stands beside a bias that is none, turning would spend the bits of all channels on one: it is refused, and
    /// what costs less is foretold.
    @Test func costlyBiases() throws {
        func source(_ gain: Float) throws -> Checkpoint {
            var model = try EditableModel(reading: Fixtures.path("phi"))
            try model.edit("model.final_layernorm.weight") { $0[7] = gain }
            try model.edit("model.final_layernorm.bias") { $0[7] = 0.5 }
            Files.remove(folder("m"))
            try model.write(to: folder("m"))
            return try Checkpoint(opening: folder("m"))
        }
        #expect {
            try protect(source(0.01), to: folder("p"))
        } throws: {
            guard case .costlyBias("model.final_layernorm.bias", let multiple)? = $0 as? RewritingError else {
                return false
            }
            return multiple > 5 && multiple < 50
        }
        #expect(!Files.names(in: folder.path).contains("p"))
        let mild = try source(0.1)
        let locked = try protect(mild, to: folder("p"))
        #expect(try Manifest.read(from: locked).roundingMultiple > 1.2)
        let pair = try ModelPair(mild, locked, threads: 1)
        #expect(try AlgebraicVerification(threads: 1).verify(pair).holds)
        #expect(try FunctionalVerification(threads: 1).verify(pair).holds)
    }
}
