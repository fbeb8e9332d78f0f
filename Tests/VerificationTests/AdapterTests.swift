import Checkpoints
import Foundations
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Adapters that go into the weights, and adapters that follow a lock: the same model both ways.
@Suite struct AdapterTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    /// An adapter of some of a model's maps as PEFT writes it.
    private func makeAdapter(
        of path: String, _ maps: (EditableModel.Tensor) -> Bool, transposed: Bool = false,
        change: (inout EditableModel) -> Void = { _ in }
    ) throws {
        let model = try EditableModel(reading: path)
        var stream = KeyedRandomStream(secret: [3], info: "adapter")
        var adapter = model
        adapter.tensors = []
        for tensor in model.tensors where tensor.shape.count == 2 && maps(tensor) {
            let (outputs, inputs) = transposed ? (tensor.shape[1], tensor.shape[0]) : (tensor.shape[0], tensor.shape[1])
            let module = "base_model.model." + tensor.name.dropLast(".weight".count)
            for (name, shape) in [(".lora_A.weight", [4, inputs]), (".lora_B.weight", [outputs, 4])] {
                let values = (0..<shape[0] * shape[1]).map { _ in Float(0.2 * stream.nextGaussian()) }
                adapter.tensors.append(
                    .init(name: module + name, type: .f32, shape: shape, bytes: values.withUnsafeBytes { Array($0) }))
            }
        }
        change(&adapter)
        Files.remove(folder("adapter"))
        try Files.makeDirectory(folder("adapter"))
        try Files.write(adapter.safetensors, to: folder("adapter/adapter_model.safetensors"))
        try Files.write(
            #"{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "fan_in_fan_out": \#(transposed), "bias": "none"}"#,
            to: folder("adapter/adapter_config.json"))
    }

    private func options(
        _ methods: ProtectionMethod..., residual: ResidualTransform = .permutation
    ) -> ProtectionOptions {
        let steps = methods.map { method in
            var step = StepOptions(method: method)
            if method == .full { step.residual = residual }
            return step
        }
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        options.nonce = .zero
        return options
    }

    /// Folded into the locked model, the adapted adapter gives what the adapter gives when it is folded and then locked.
    @Test(
        arguments: ["llama", "gpt2", "bert", "phi3_partial", "qwen3"], ["mergelock", "full", "lossless", "hadamard"])
    func anAdapterFollowsTheLock(name: String, lock: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let parts = ["attn", "mlp", "attention", "dense"]
        try makeAdapter(
            of: source.path, { tensor in parts.contains { tensor.name.contains($0) } }, transposed: name == "gpt2")
        var options =
            switch lock {
            case "mergelock": options(.mergelock, .params)
            case "lossless": options(.lossless)
            case "full": options(.full)
            default: options(.full, residual: .hadamard)
            }
        for path in ["p", "f", "a"] { Files.remove(folder(path)) }
        do {
            _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        } catch ProtectionError.noTurning { return }
        let locked = try Checkpoint(opening: folder("p"))
        let maps = try Protector.unsynchronized.adapt(folder("adapter"), to: folder("a"), protected: locked, key: key)
        #expect(maps > 4)
        // The original with its adapter, and the locked model with what was made of it.
        func fold(_ adapter: String, into model: Checkpoint, _ path: String) throws -> EditableModel {
            let factors = try EditableModel(readingTensors: folder(adapter) + "/adapter_model.safetensors")
            var folded = try EditableModel(reading: model.path)
            for (index, tensor) in factors.tensors.enumerated() where tensor.name.hasSuffix(".lora_A.weight") {
                let (a, b) = (try factors.floats(tensor.name), try factors.floats(factors.tensors[index + 1].name))
                let (inputs, outputs) = (tensor.shape[1], b.count / 4)
                let module = tensor.name.dropFirst("base_model.model.".count).dropLast(".lora_A.weight".count)
                try folded.editFloats(module + ".weight") { values in
                    for i in 0..<outputs {
                        for j in 0..<inputs {
                            let change = (0..<4).reduce(0.0) { $0 + b[i * 4 + $1] * a[$1 * inputs + j] }
                            values[name == "gpt2" ? j * outputs + i : i * inputs + j] += 1.5 * change
                        }
                    }
                }
            }
            Files.remove(folder(path))
            try folded.write(to: folder(path))
            return folded
        }
        let original = try fold("adapter", into: source, "x")
        _ = try fold("a", into: locked, "y")
        try Files.write(try Files.read(folder("p/mergeproof.json")), to: folder("y/mergeproof.json"))
        let pair = (try Checkpoint(opening: folder("x")), try Checkpoint(opening: folder("y")))
        let outputs = try FunctionalVerification(threads: 1, precision: .f64).verify(pair.0, pair.1)
        #expect(outputs.drift.relativeError < 5e-6, "\(outputs.drift)")
        // Folded by the engine before the same lock.
        options.adapter = try LoRAAdapter(opening: folder("adapter"), for: source)
        _ = try Protector.unsynchronized.protect(source, to: folder("f"), key: key, options: options)
        let manifest = try Manifest.read(from: Checkpoint(opening: folder("f")))
        #expect(manifest.changed.count == maps && manifest.changedBy == ["adapter"])
        let report = try AlgebraicVerification(threads: 1).verify(pair.0, Checkpoint(opening: folder("f")))
        // The folded original was written by the test: its header is another.
        let problems = report.problems.filter {
            !$0.contains("__metadata__") && !$0.contains("adapter changed the weights of \(maps) tensors")
        }
        #expect(report.failures.isEmpty && problems.isEmpty, "\(problems) \(report.failures.prefix(2))")
        let back = try Protector.unsynchronized.restore(
            Checkpoint(opening: folder("f")), to: folder("r-\(name)-\(lock)"), key: key)
        #expect(back.proof?.holds == true && (lock != "lossless" || back.proof?.isBitForBit == true))
        let restored = try EditableModel(reading: folder("r-\(name)-\(lock)"))
        for tensor in original.tensors where tensor.type == .f32 {
            let (a, b) = (try original.floats(tensor.name), try restored.floats(tensor.name))
            let size = a.reduce(0) { $0 + $1 * $1 }
            #expect(zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } <= 1e-11 * size)
        }
    }

    @Test func whatIsNoPlainAdapterIsRefused() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        func refusal(_ change: (inout EditableModel) -> Void, config: String? = nil) throws -> AdapterError? {
            try makeAdapter(of: source.path, { $0.name.hasSuffix("q_proj.weight") }, change: change)
            if let config { try Files.write(config, to: folder("adapter/adapter_config.json")) }
            do {
                _ = try LoRAAdapter(opening: folder("adapter"), for: source)
                return nil
            } catch let error as AdapterError { return error }
        }
        let (path, first) = (folder("adapter"), "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
        #expect(try refusal { _ in } == nil)
        #expect(try refusal { $0.tensors.removeLast() } != nil)
        #expect(
            try refusal { $0.tensors[0].name = "base_model.model.model.norm.weight" }
                == .unknownTensor(path: path, tensor: "base_model.model.model.norm.weight"))
        #expect(
            try refusal { model in
                for i in 0..<2 {
                    model.tensors[i].name = model.tensors[i].name.replacing("layers.0", with: "layers.7")
                }
            }
                == .noSuchMap(
                    path: path, tensor: first.replacing("layers.0", with: "layers.7"), model: source.path))
        #expect(
            try refusal { $0.tensors[0].shape = [4 * $0.tensors[0].shape[1], 1] } != nil)
        #expect(
            try refusal({ _ in }, config: #"{"peft_type": "LOHA"}"#)
                == .notLoRA(path: path, found: "LOHA", expected: "peft_type LORA"))
        let plain = #"{"peft_type": "LORA", "r": 4, "lora_alpha": 4, "#
        #expect(try refusal({ _ in }, config: plain + #""use_dora": true}"#) != nil)
        #expect(try refusal({ _ in }, config: plain + #""alpha_pattern": {"q": 8}}"#) == nil)
        var options = options(.mergelock)
        options.adapter = try LoRAAdapter(opening: path, for: source)
        #expect(throws: AdapterError.scaledByPatterns(path: path)) {
            try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        }
    }
}
