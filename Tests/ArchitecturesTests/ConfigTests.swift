import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Config values that are absurd, mistyped, or mean something that is not described; and those that only look odd.
@Suite struct ConfigTests {
    @Test func weightsWithoutConfigAreRefused() throws {
        let file = Fixtures.path("llama") + "/model.safetensors"
        #expect(throws: ArchitectureError.noConfig(path: file)) {
            try Architecture.resolve(Checkpoint(opening: file))
        }
    }

    /// Memory must not follow the number that is claimed.
    @Test(arguments: ["bert", "gpt2", "llama", "vit"])
    func twoBillionLayersEndAtTheThird(name: String) throws {
        let fixture = try ChangedFixture(name)
        let found = try fixture.configError {
            $0[name == "gpt2" ? "n_layer" : "num_hidden_layers"] = .int(2_000_000_000)
        }
        guard case .missingTensor(_, let tensor, _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
        #expect(["layers.2.", "layer.2.", "h.2."].contains { tensor.contains($0) })
    }

    static let invalid: [(fixture: String, key: String, value: JSONValue, expected: String)] = [
        ("llama", "hidden_size", .int(0), "a positive whole number"),
        ("llama", "hidden_size", .number("48.0"), "a positive whole number"),
        ("llama", "hidden_size", .string("48"), "a positive whole number"),
        ("llama", "num_hidden_layers", .int(1 << 31), "a positive whole number"),
        ("llama", "attention_bias", .int(1), "true or false"),
        ("llama", "tie_word_embeddings", .string("no"), "true or false"),
        ("llama", "rope_parameters", .string("linear"), "an object"),
        ("vit", "qkv_bias", .string("yes"), "true or false"),
    ]

    @Test(arguments: invalid.indices)
    func invalidValues(number: Int) throws {
        let (name, key, value, expected) = Self.invalid[number]
        let fixture = try ChangedFixture(name)
        #expect(
            try fixture.configError { $0[key] = value }
                == .invalidConfigValue(path: fixture.path, key: key, found: value.serialized(), expected: expected))
    }

    @Test func anActivationMustBeNamed() throws {
        let found = try ChangedFixture("bert").configError { $0["hidden_act"] = .int(5) }
        guard case .invalidConfigValue(_, "hidden_act", "5", _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    static let refused: [(fixture: String, key: String, value: JSONValue, named: String)] = [
        ("bert", "add_cross_attention", .bool(true), "add_cross_attention"),
        ("roberta", "add_cross_attention", .bool(true), "add_cross_attention"),
        ("gpt2", "add_cross_attention", .bool(true), "add_cross_attention"),
        ("roberta", "position_embedding_type", .string("relative_key_query"), "position_embedding_type"),
        ("qwen3", "partial_rotary_factor", .double(0.25), "partial_rotary_factor"),
        (
            "mistral", "rope_scaling", .object(["rope_type": .string("default"), "type": .string("mrope")]),
            "rope_scaling"
        ),
        ("qwen2", "rope_scaling", .object(["type": .int(3)]), "rope_scaling"),
        (
            "llama", "rope_parameters", .object(["full": .object(["rope_type": .string("default")])]),
            "rope_parameters.full"
        ),
        (
            "llama", "rope_parameters", .object(["partial_rotary_factor": .double(0.5)]),
            "rope_parameters.partial_rotary_factor"
        ),
    ]

    @Test(arguments: refused.indices)
    func refusedFeatures(number: Int) throws {
        let (name, key, value, named) = Self.refused[number]
        let found = try ChangedFixture(name).configError { $0[key] = value }
        guard case .refusedFeature(_, let foundKey, _, let reason)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
        #expect(foundKey == named && !reason.isEmpty)
    }

    @Test(arguments: ["default", "linear", "dynamic", "llama3", "yarn", "longrope"])
    func everyKnownScalingLeavesTheLayout(type: String) throws {
        let block = try ChangedFixture("llama").resolve {
            $0.config["rope_parameters"] = .object([
                "rope_type": .string(type), "partial_rotary_factor": .number("1.0"), "factor": .double(2),
                "low_freq_factor": .double(1), "high_freq_factor": .double(4),
                "original_max_position_embeddings": .int(16),
                "short_factor": .array(Array(repeating: .double(1), count: 6)),
                "long_factor": .array(Array(repeating: .double(2), count: 6)),
            ])
        }.attention[0]
        #expect(block.rotary?.dimensions == 12 && block.rotary?.layout == .halfSplit)
    }

    @Test func headsThatDoNotDivideTheWidthAreNamed() throws {
        let found = try ChangedFixture("bert").configError { $0["num_attention_heads"] = .int(7) }
        guard case .invalidConfigValue(_, "head_dim", let text, _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
        #expect(text.contains("hidden / heads") && text.contains("heads 7"))
    }

    /// Half-split pairs need an even number of channels: 16 heads of 3 in a projection of 48.
    @Test func rotaryHeadsAreEven() throws {
        let fixture = try ChangedFixture("llama")
        let found = try fixture.configError {
            ($0["num_attention_heads"], $0["num_key_value_heads"], $0["head_dim"]) = (.int(16), .int(8), .int(3))
        }
        #expect(
            found == .invalidConfigValue(path: fixture.path, key: "head_dim", found: "3", expected: "an even number"))
    }

    @Test func extentsBeyondEveryNumberDoNotTrap() throws {
        let huge = JSONValue.int((1 << 31) - 1)
        let found = try ChangedFixture("vit").configError {
            ($0["image_size"], $0["patch_size"]) = (huge, .int(1))
        }
        guard case .invalidConfigValue(_, "positions", _, _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    /// transformers reads null as "as many as query heads", not as the family's default.
    @Test func nullMeansWhatTransformersMakesOfIt() throws {
        let fixture = try ChangedFixture("qwen2")
        let found = try fixture.configError { $0["num_key_value_heads"] = .null }
        #expect(
            found
                == .shapeMismatch(
                    path: fixture.path, tensor: "model.layers.0.self_attn.k_proj.weight", expected: [48, 48],
                    found: [24, 48]))
        let gpt2 = try ChangedFixture("gpt2").configError { $0["n_inner"] = .null }
        guard case .shapeMismatch(_, "transformer.h.0.mlp.c_fc.weight", [48, 192], [48, 56])? = gpt2 else {
            Issue.record("found \(String(describing: gpt2))")
            return
        }
    }
}
