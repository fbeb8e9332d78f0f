import Architectures
import Checkpoints
import TestSupport
import Testing

/// What must not be resolved, each with its exact error.
@Suite struct RefusalTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private var path: String { folder("m") }

    /// Changes a fixture and tells what resolving it throws.
    private func error(_ name: String, _ change: (inout EditableModel) throws -> Void) throws -> ArchitectureError? {
        var model = try EditableModel(reading: Fixtures.path(name))
        try change(&model)
        try model.write(to: path)
        do {
            _ = try Architecture.resolve(try Checkpoint(opening: path))
            return nil
        } catch let error as ArchitectureError {
            #expect(!error.description.contains("\n") && error.description.count > 20)
            return error
        }
    }

    @Test func unchangedFixturesResolve() throws {
        #expect(try error("llama") { _ in } == nil)
    }

    @Test func anUnknownTensorIsNamed() throws {
        let found = try error("llama") {
            $0.tensors.append(
                .init(name: "model.layers.0.self_attn.extra", type: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        }
        #expect(found == .unknownTensor(path: path, tensor: "model.layers.0.self_attn.extra", family: "llama"))
    }

    @Test func aLayerTooManyIsUnknown() throws {
        let found = try error("llama") { $0.config["num_hidden_layers"] = .int(1) }
        guard case .unknownTensor(_, let tensor, _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
        #expect(tensor.hasPrefix("model.layers.1."))
    }

    @Test func aMissingTensorIsNamed() throws {
        let found = try error("bert") { model in
            model.tensors.remove(at: try model.index("encoder.layer.1.attention.self.key.bias"))
        }
        #expect(
            found == .missingTensor(path: path, tensor: "encoder.layer.1.attention.self.key.bias", family: "bert"))
    }

    @Test func aBiasThatTheConfigDeniesIsUnknown() throws {
        let found = try error("llama_biases") { $0.config["attention_bias"] = .bool(false) }
        guard case .unknownTensor? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    @Test func aBiasThatTheConfigPromisesMustBeThere() throws {
        let found = try error("llama") { $0.config["mlp_bias"] = .bool(true) }
        #expect(found == .missingTensor(path: path, tensor: "model.layers.0.mlp.gate_proj.bias", family: "llama"))
    }

    @Test func shapesMustAgreeWithTheConfig() throws {
        let found = try error("llama") { $0.config["intermediate_size"] = .int(57) }
        #expect(
            found
                == .shapeMismatch(
                    path: path, tensor: "model.layers.0.mlp.gate_proj.weight", expected: [57, 48], found: [56, 48]))
    }

    @Test func configValuesMustBeSane() throws {
        #expect(
            try error("llama") { $0.config["num_attention_heads"] = .int(-4) }
                == .invalidConfigValue(
                    path: path, key: "num_attention_heads", found: "-4", expected: "a positive whole number"))
    }

    @Test func headsMustFormWholeGroups() throws {
        #expect(
            try error("llama") { $0.config["num_key_value_heads"] = .int(3) }
                == .invalidConfigValue(
                    path: path, key: "num_key_value_heads", found: "3", expected: "a divisor of the 4 attention heads"))
    }

    @Test func hugeNumbersDoNotTrap() throws {
        #expect(
            try error("gpt2") { $0.config["n_embd"] = .number("9223372036854775807") }
                == .invalidConfigValue(
                    path: path, key: "n_embd", found: "9223372036854775807", expected: "a positive whole number"))
    }

    @Test func aMissingValueIsNamed() throws {
        #expect(
            try error("bert") { $0.config["hidden_size"] = nil }
                == .missingConfigValue(path: path, keys: ["hidden_size"]))
    }

    @Test(arguments: [
        ("llama5", "llama"), ("mistral4", "mistral"), ("qwen3_omni_moe", "qwen3_moe"), ("bert-generation", "bert"),
        ("bert2", "bert"), ("deepseek_v4", "deepseek_v2"),
    ])
    func unknownModelTypesAreToldTheNearest(type: String, nearest: String) throws {
        let found = try error("llama") { $0.config["model_type"] = .string(type) }
        #expect(found == .unknownModelType(path: path, found: type, nearest: nearest))
    }

    @Test func aModelTypeMustBeThere() throws {
        #expect(try error("llama") { $0.config["model_type"] = nil } == .noModelType(path: path))
    }

    /// A leftover of another checkpoint: said, and no obstacle.
    @Test func aQuantizationConfigBesidePlainWeightsIsNoted() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        model.config["quantization_config"] = .object(["quant_method": .string("gptq")])
        let plain = try Architecture.resolve(try Checkpoint(opening: try model.write(to: path)))
        #expect(plain.notes.count == 1 && plain.notes[0].contains("quantization_config (gptq)"))
        let place = try model.index("model.layers.0.mlp.up_proj.weight")
        model.tensors[place].type = .u8
        model.tensors[place].bytes.removeLast(model.tensors[place].bytes.count * 3 / 4)
        Files.remove(path)
        #expect(
            try error("llama") { $0 = model }
                == .quantized(
                    path: path, found: "quantization_config gptq, tensor model.layers.0.mlp.up_proj.weight of type U8"))
    }

    @Test(arguments: ["qweight", "SCB", "weight_scale_inv", "absmax"])
    func quantisedTensorsAreRefused(ending: String) throws {
        let name = "model.layers.0.mlp.up_proj." + ending
        let found = try error("llama") {
            $0.tensors.append(.init(name: name, type: .i32, shape: [1], bytes: [0, 0, 0, 0]))
        }
        #expect(found == .quantized(path: path, found: "tensor \(name) of type I32"))
    }

    @Test func weightsInEightBitsAreRefused() throws {
        let found = try error("llama") { model in
            let place = try model.index("model.norm.weight")
            model.tensors[place].type = .f8e4m3
            model.tensors[place].bytes = [UInt8](repeating: 0, count: 48)
        }
        #expect(found == .quantized(path: path, found: "tensor model.norm.weight of type F8_E4M3"))
    }

    @Test func weightsMustBeFloatingPoint() throws {
        let found = try error("llama") { model in model.tensors[try model.index("model.norm.weight")].type = .i32 }
        #expect(found == .notFloatingPoint(path: path, tensor: "model.norm.weight", found: "I32"))
    }

    @Test func featuresThatChangeTheMeaningAreRefused() throws {
        let found = try error("bert") { $0.config["position_embedding_type"] = .string("relative_key") }
        #expect(
            found
                == .refusedFeature(
                    path: path, key: "position_embedding_type", found: "\"relative_key\"",
                    reason: "relative position embeddings read the queries and keys"))
    }

    @Test func unknownRotaryScalingIsRefused() throws {
        let found = try error("llama") {
            $0.config["rope_parameters"] = .object(["rope_type": .string("spiral")])
        }
        guard case .refusedFeature(_, "rope_parameters", "\"spiral\"", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    @Test func partialRotaryIsRefusedWhereItIsNotDescribed() throws {
        let found = try error("llama") { $0.config["partial_rotary_factor"] = .double(0.5) }
        guard case .refusedFeature(_, "partial_rotary_factor", "0.5", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    @Test func unknownActivationsAreRefused() throws {
        let found = try error("llama") { $0.config["hidden_act"] = .string("softplus") }
        guard case .invalidConfigValue(_, "hidden_act", "\"softplus\"", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    @Test func oneTensorUnderTwoNamesIsRefused() throws {
        let found = try error("bert") { model in
            var twin = model.tensors[try model.index("embeddings.LayerNorm.weight")]
            twin.name = "embeddings.LayerNorm.gamma"
            model.tensors.append(twin)
        }
        #expect(
            found
                == .ambiguousTensor(
                    path: path, tensor: "embeddings.LayerNorm.gamma", other: "embeddings.LayerNorm.weight"))
    }
}
