import Checkpoints
import Protections
import Synchronization
import TestSupport
import Testing

/// PaRaMS against a base: channels go where they lie farthest from it, and come back.
@Suite struct AssignedPermutationTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func makeBase(of name: String) throws -> Checkpoint {
        try EditableModel.base(of: Fixtures.path(name)).write(to: folder("base"))
        return try Checkpoint(opening: folder("base"))
    }

    private func options(
        base: Checkpoint?, method: ProtectionMethod = .params, layers: [Int]? = nil
    ) -> ProtectionOptions {
        var options = ProtectionOptions(repeatable: method)
        options.siteKinds = [.mlp]
        options.base = base
        options.layers = layers
        return options
    }

    /// ‖W′ - base‖ over all tensors of f32.
    private func distance(_ model: Checkpoint, _ base: Checkpoint) -> Double {
        var sum = 0.0
        for tensor in model.tensors.values where tensor.type == .f32 {
            guard let other = base.tensors[tensor.name] else { continue }
            let (x, y) = (model.bytes(of: tensor), base.bytes(of: other))
            for place in stride(from: 0, to: x.count, by: 4) {
                let difference = Double(
                    x.loadUnaligned(fromByteOffset: place, as: Float.self)
                        - y.loadUnaligned(fromByteOffset: place, as: Float.self))
                sum += difference * difference
            }
        }
        return sum.squareRoot()
    }

    /// Who waits is told how far it is, and that it is done, before anything is written.
    @Test func progressIsTold() throws {
        let told = Mutex<[Int]>([])
        let protector = Protector(
            progress: { _, _ in told.withLock { $0.append(-1) } },
            solving: { done, all in told.withLock { $0.append(done * 100 / all) } })
        _ = try protector.protect(
            Checkpoint(opening: Fixtures.path("llama")), to: folder("p"), key: key,
            options: options(base: makeBase(of: "llama")))
        let shares = told.withLock { $0.prefix { $0 >= 0 } }
        #expect(shares.count >= 3 && shares.last == 100 && shares.filter { $0 == 100 }.count == 1)
        #expect(told.withLock { !$0.dropFirst(shares.count).contains { $0 >= 0 } })
    }

    @Test(arguments: ["bert", "llama", "gpt2", "mixtral", "gpt_oss", "phi3", "t5", "qwen3_moe", "clip"])
    func channelsLieFarthestFromTheBase(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let base = try makeBase(of: name)
        func protect(_ path: String, _ options: ProtectionOptions, key: UInt8 = 0) throws -> Checkpoint {
            Files.remove(folder(path))
            _ = try Protector.unsynchronized.protect(
                source, to: folder(path), key: SecretKey(bytes: [UInt8](repeating: key, count: 32)), options: options)
            return try Checkpoint(opening: folder(path))
        }
        let assigned = distance(try protect("a", options(base: base)), base)
        for number in 0..<20 as Range<UInt8> {
            #expect(try distance(protect("u", options(base: nil), key: number), base) < assigned)
        }
        let once = try Files.tree(folder("a"))
        var serial = options(base: base)
        serial.threads = 1
        _ = try protect("a", serial)
        #expect(try Files.tree(folder("a")) == once)
        let restored = try Protector.unsynchronized.restore(
            Checkpoint(opening: folder("a")), to: folder("r"), key: SecretKey(bytes: [UInt8](repeating: 0, count: 32)))
        #expect(restored.proof?.holds == true)
        #expect(try Files.tree(folder("r")) == Files.tree(Fixtures.path(name)))
    }

    /// Layers of which one is left alone, and another step behind.
    @Test func partsAndChainsComeBack() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        let base = try makeBase(of: "llama")
        let parts = options(base: base, layers: [1])
        var params = StepOptions(method: .params)
        params.condition = 10
        var chain = ProtectionOptions(params, then: [StepOptions(method: .lossless)])
        chain.base = base
        for options in [parts, chain] {
            Files.remove(folder("p"))
            Files.remove(folder("r"))
            let report = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
            #expect(report.manifest.steps.all.map(\.isAssigned).first == true)
            let restored = try Protector.unsynchronized.restore(
                Checkpoint(opening: folder("p")), to: folder("r"), key: key)
            #expect(restored.proof?.holds == true)
        }
    }

    @Test func whatIsNoBaseIsRefused() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        func refused(_ error: ProtectionError, _ options: ProtectionOptions) {
            #expect(throws: error) {
                try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
            }
            #expect(!Files.names(in: folder.path).contains("p"))
        }
        refused(.baseIsModel(path: source.path), options(base: source))
        let base = try makeBase(of: "llama")
        refused(.noUseOfBase(methods: ["lossless"]), options(base: base, method: .lossless))
        var broken = try EditableModel(reading: base.path)
        let gate = try #require(broken.tensors.firstIndex { $0.name.hasSuffix("layers.1.mlp.gate_proj.weight") })
        broken.tensors[gate].bytes.replaceSubrange(0..<4, with: [0, 0, 0xC0, 0x7F])
        try broken.write(to: folder("broken"))
        let nan = try Checkpoint(opening: folder("broken"))
        refused(.notSolved(site: "layers.1.mlp", paths: [source.path, nan.path]), options(base: nan))
        let other = try Checkpoint(opening: Fixtures.path("llama_bf16"))
        let tied = try Checkpoint(opening: Fixtures.path("llama_tied"))
        for wrong in [other, tied, try Checkpoint(opening: Fixtures.path("bert"))] {
            #expect {
                try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options(base: wrong))
            } throws: { error in
                guard case ProtectionError.unlikeBase(wrong.path, _, _, _)? = error as? ProtectionError else {
                    return false
                }
                return true
            }
        }
    }
}
