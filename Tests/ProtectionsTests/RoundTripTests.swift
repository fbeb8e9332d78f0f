import Checkpoints
import Protections
import Rewriting
import Symmetries
import TestSupport
import Testing

/// Protect and restore every fixture by every method.
@Suite struct RoundTripTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func protect(
        _ source: String, _ name: String, _ method: ProtectionMethod, key: SecretKey? = nil,
        _ change: (inout ProtectionOptions) -> Void = { _ in }
    ) throws -> Protector.Report {
        var options = ProtectionOptions(repeatable: method)
        change(&options)
        return try Protector.unsynchronized.protect(
            Checkpoint(opening: source), to: folder(name), key: key ?? self.key, options: options)
    }

    @Test(arguments: Fixtures.recorded)
    func losslessComesBackBitForBit(name: String) throws {
        let report = try protect(Fixtures.path(name), "p", .lossless)
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
        #expect(try Files.tree(folder("r")) == Files.tree(Fixtures.path(name)))
        #expect(try Files.tree(folder("p")) != Files.tree(Fixtures.path(name)))
        #expect(report.manifest.steps.isExact && report.rewrittenTensors > 0)
    }

    @Test(arguments: Fixtures.recorded, MergeLockSamplers.all)
    func mergelockComesBackToRounding(name: String, sampler: Sampler) throws {
        _ = try protect(Fixtures.path(name), "p", .mergelock) {
            $0.sampler = sampler
            $0.condition = 10
            if sampler == .gaussian { $0.condition = 1000 }
        }
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
        let (a, b) = (try Checkpoint(opening: Fixtures.path(name)), try Checkpoint(opening: folder("r")))
        for tensor in a.tensors.values where tensor.type == .f32 {
            let (x, y) = (floats(a.bytes(of: tensor)), floats(b.bytes(of: try #require(b.tensors[tensor.name]))))
            let error = zip(x, y).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let norm = x.reduce(0.0) { $0 + $1 * $1 }
            #expect(error.squareRoot() <= (sampler == .gaussian ? 2e-5 : 1e-6) * norm.squareRoot(), "\(tensor.name)")
        }
    }

    private func floats(_ bytes: UnsafeRawBufferPointer) -> [Double] {
        (0..<bytes.count / 4).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
    }

    @Test(arguments: ["llama_sharded", "gpt2", "qwen3", "llama_bf16"], ProtectionMethod.locks.filter(\.isKeyed))
    func bytesDependOnTheKeyAndNotOnThreads(name: String, method: ProtectionMethod) throws {
        for threads in [1, 2, 5] {
            _ = try protect(Fixtures.path(name), "t\(threads)", method) { $0.threads = threads }
        }
        #expect(try Files.tree(folder("t1")) == Files.tree(folder("t2")))
        #expect(try Files.tree(folder("t1")) == Files.tree(folder("t5")))
        _ = try protect(Fixtures.path(name), "other", method, key: SecretKey(bytes: [UInt8](1...32)))
        let (mine, other) = (try Files.tree(folder("t1")), try Files.tree(folder("other")))
        #expect(mine.keys.contains { $0.hasSuffix(".safetensors") && mine[$0] != other[$0] })
    }

    /// Two models of one key share no element, and their manifests do not tell that the key is one.
    @Test(arguments: ProtectionMethod.locks.filter(\.isKeyed))
    func oneKeyGivesNoTwoModelsTheSameElements(method: ProtectionMethod) throws {
        let reports = try ["a", "b"].map { name in try protect(Fixtures.path("llama"), name, method) { $0.nonce = nil }
        }
        let (a, b) = (reports[0].manifest, reports[1].manifest)
        #expect(a.nonce != b.nonce && a.keyIdentifier != b.keyIdentifier)
        let models = try ["a", "b"].map { try EditableModel(reading: folder($0)) }
        let original = try EditableModel(reading: Fixtures.path("llama"))
        var moved = 0
        for (place, tensor) in original.tensors.enumerated() where models[0].tensors[place].bytes != tensor.bytes {
            #expect(models[0].tensors[place].bytes != models[1].tensors[place].bytes, "\(tensor.name)")
            moved += 1
        }
        #expect(moved == reports[0].rewrittenTensors)
        // Said again, the nonce repeats the output to the byte.
        _ = try protect(Fixtures.path("llama"), "again", method) { $0.nonce = a.nonce }
        #expect(try Files.tree(folder("again")) == Files.tree(folder("a")))
    }

    @Test func reshardingChangesPlacesAndNotValues() throws {
        _ = try protect(Fixtures.path("llama"), "one", .mergelock)
        _ = try protect(Fixtures.path("llama"), "many", .mergelock) { $0.maximumShardSize = 50_000 }
        let (one, many) = (try Checkpoint(opening: folder("one")), try Checkpoint(opening: folder("many")))
        #expect(one.shards.count == 1 && many.shards.count > 2)
        for tensor in one.tensors.values {
            let twin = try #require(many.tensors[tensor.name])
            #expect(Array(one.bytes(of: tensor)) == Array(many.bytes(of: twin)))
        }
        _ = try Protector.unsynchronized.restore(many, to: folder("back"), key: key)
        #expect(try Checkpoint(opening: folder("back")).tensors.count == one.tensors.count)
    }

    @Test func chosenLayersAndSitesAloneAreTouched() throws {
        let report = try protect(Fixtures.path("llama"), "p", .mergelock) {
            $0.layers = [1]
            $0.siteKinds = [.valueOutput]
        }
        let (a, b) = (try Checkpoint(opening: Fixtures.path("llama")), try Checkpoint(opening: folder("p")))
        let changed = a.tensors.values.filter { tensor in
            b.tensors[tensor.name].map { Array(a.bytes(of: tensor)) != Array(b.bytes(of: $0)) } ?? true
        }
        #expect(
            Set(changed.map(\.name)) == [
                "model.layers.1.self_attn.v_proj.weight", "model.layers.1.self_attn.o_proj.weight",
            ])
        #expect(report.sites == 2 && report.manifest.steps.all[0].layers == [1])
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
    }

    @Test func weightsNearTheSmallestNumberLoseTheirPowersOfTwoOnly() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        try model.edit("model.layers.0.mlp.up_proj.weight") { values in
            // Just above the smallest normal number, with the last bit set: half of it is no f32.
            for i in values.indices { values[i] = Float(bitPattern: 0x0080_0001 + UInt32(2 * (i % 9000))) }
        }
        try model.write(to: folder("m"))
        let report = try protect(folder("m"), "p", .lossless)
        #expect(report.scalesWereDropped && report.manifest.steps.all[0].condition == 1)
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
        #expect(try Files.tree(folder("r")) == Files.tree(folder("m")))
        // Said explicitly, it is an error instead.
        #expect(throws: RewritingError.inexactScaling(tensor: "model.layers.0.mlp.up_proj.weight")) {
            try protect(folder("m"), "q", .lossless) { $0.condition = 4 }
        }
        #expect(!Files.exists(folder("q")))
    }

    @Test func doublesAreActedOnInDoubles() throws {
        var model = try EditableModel(reading: Fixtures.path("bert"))
        try model.convert(to: .f64) { value in withUnsafeBytes(of: Double(value)) { Array($0) } }
        try model.write(to: folder("m"))
        _ = try protect(folder("m"), "p", .mergelock)
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
        let (a, b) = (try Checkpoint(opening: folder("m")), try Checkpoint(opening: folder("r")))
        for tensor in a.tensors.values where tensor.type == .f64 {
            let x = a.bytes(of: tensor)
            let y = b.bytes(of: try #require(b.tensors[tensor.name]))
            let worst =
                (0..<x.count / 8).map { i in
                    (x.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
                        - y.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)).magnitude
                }.max() ?? 0
            #expect(worst < 1e-13)
        }
    }
}

enum MergeLockSamplers {
    static let all: [Sampler] = [.diagonalOrthogonal, .conditioned, .orthogonal, .gaussian]
}
