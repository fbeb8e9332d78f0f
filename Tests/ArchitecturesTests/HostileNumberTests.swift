import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Numbers of config.json that would end in a trap, in memory without bound, or in outputs that are no numbers. Each is refused with
/// a sentence that names its field.
@Suite struct HostileNumberTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let fixture: String
        /// Fields and their values.
        let changes: [String: JSONValue]
        /// The field that the error names.
        let named: String
        var testDescription: String { "\(fixture) \(changes.keys.sorted().joined(separator: ", "))" }
    }

    private static func rope(_ type: String, _ settings: [(String, JSONValue)]) -> JSONValue {
        .object(JSONObject([("rope_type", .string(type)), ("rope_theta", .number("10000.0"))] + settings))
    }

    private static let yarn: [(String, JSONValue)] = [
        ("factor", .number("4.0")), ("original_max_position_embeddings", .int(8)),
    ]
    private static let factors = JSONValue.array(Array(repeating: .int(1), count: 6))
    private static let huge = JSONValue.int((1 << 31) - 1)

    static let cases: [Case] = [
        // Products of extents that no integer holds.
        Case(fixture: "vit", changes: ["patch_size": huge, "image_size": huge], named: "patch_size"),
        Case(
            fixture: "phi3", changes: ["num_attention_heads": huge, "num_key_value_heads": huge, "head_dim": huge],
            named: "num_attention_heads"),
        Case(
            fixture: "deepseek_v3",
            changes: [
                "num_attention_heads": huge, "num_key_value_heads": huge, "qk_nope_head_dim": .int(1 << 30),
                "v_head_dim": huge,
            ],
            named: "num_attention_heads"),
        // Loops and memory without bound.
        Case(fixture: "albert", changes: ["num_hidden_layers": huge], named: "num_hidden_layers"),
        // Rotations beyond a head, and of no pairs.
        Case(fixture: "gptj", changes: ["rotary_dim": .int(10)], named: "rotary_dim"),
        Case(
            fixture: "llama",
            changes: [
                "num_attention_heads": .int(24), "num_key_value_heads": .int(12), "head_dim": .int(2),
                "rope_parameters": rope("dynamic", [("factor", .int(2))]),
            ], named: "rope_parameters.rope_type"),
        Case(
            fixture: "phi3_partial",
            changes: [
                "partial_rotary_factor": .number("0.4"),
                "rope_parameters": rope("default", [("partial_rotary_factor", .number("0.4"))]),
            ], named: "partial_rotary_factor"),
        // Settings of rotary scaling.
        Case(
            fixture: "llama", changes: ["rope_parameters": rope("linear", [("factor", .int(0))])],
            named: "rope_parameters.factor"),
        Case(
            fixture: "llama", changes: ["rope_parameters": rope("linear", [("factor", .number("1e300"))])],
            named: "rope_parameters.factor"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": rope("dynamic", [("factor", .int(2))]), "max_position_embeddings": .number("1e999"),
            ], named: "max_position_embeddings"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": rope("dynamic", [("factor", .int(2))]), "max_position_embeddings": .string("32"),
            ], named: "max_position_embeddings"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": rope(
                    "llama3",
                    [
                        ("factor", .int(8)), ("low_freq_factor", .int(4)), ("high_freq_factor", .int(4)),
                        ("original_max_position_embeddings", .int(16)),
                    ])
            ], named: "rope_parameters.high_freq_factor"),
        Case(
            fixture: "llama", changes: ["rope_parameters": rope("yarn", yarn + [("beta_fast", .int(-1))])],
            named: "rope_parameters.beta_fast"),
        Case(
            fixture: "llama",
            changes: ["rope_parameters": rope("yarn", yarn + [("attention_factor", .number("1e300"))])],
            named: "rope_parameters.attention_factor"),
        Case(
            fixture: "llama", changes: ["rope_parameters": rope("yarn", yarn + [("attention_factor", .string("1"))])],
            named: "rope_parameters.attention_factor"),
        Case(
            fixture: "llama", changes: ["rope_parameters": rope("yarn", [yarn[1], ("factor", .int(0))])],
            named: "rope_parameters.factor"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": .object([
                    "rope_type": .string("yarn"), "rope_theta": .int(1), "factor": .int(4),
                    "original_max_position_embeddings": .int(8),
                ])
            ], named: "rope_theta"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": .object(["rope_type": .string("default"), "rope_theta": .string("10000")])
            ], named: "rope_parameters.rope_theta"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": rope(
                    "longrope",
                    [
                        ("factor", .int(4)), ("original_max_position_embeddings", .int(1)), ("short_factor", factors),
                        ("long_factor", factors),
                    ])
            ], named: "rope_parameters.original_max_position_embeddings"),
        Case(
            fixture: "llama",
            changes: [
                "rope_parameters": rope(
                    "longrope",
                    [
                        ("factor", .int(4)), ("original_max_position_embeddings", .int(8)), ("short_factor", factors),
                        ("long_factor", .array(Array(repeating: .int(0), count: 6))),
                    ])
            ], named: "rope_parameters.long_factor"),
        // Buckets of relative positions.
        Case(
            fixture: "t5", changes: ["relative_attention_num_buckets": .int(1)], named: "relative_attention_num_buckets"
        ),
        Case(
            fixture: "t5", changes: ["relative_attention_max_distance": .int(2)],
            named: "relative_attention_num_buckets"
        ),
        Case(fixture: "roberta", changes: ["pad_token_id": .int(31)], named: "pad_token_id"),
        // Windows, caps, clamps, norms.
        Case(fixture: "mistral", changes: ["sliding_window": .int(0)], named: "sliding_window"),
        Case(fixture: "mistral", changes: ["sliding_window": .number("2.5")], named: "sliding_window"),
        Case(fixture: "llama4_text", changes: ["attention_chunk_size": .int(-1)], named: "attention_chunk_size"),
        Case(fixture: "llama4_text", changes: ["floor_scale": .int(0)], named: "floor_scale"),
        Case(fixture: "gemma2", changes: ["attn_logit_softcapping": .int(0)], named: "attn_logit_softcapping"),
        Case(fixture: "gemma2", changes: ["final_logit_softcapping": .int(-3)], named: "final_logit_softcapping"),
        Case(fixture: "gemma2", changes: ["query_pre_attn_scalar": .int(0)], named: "query_pre_attn_scalar"),
        Case(fixture: "gemma2", changes: ["query_pre_attn_scalar": .int(-4)], named: "query_pre_attn_scalar"),
        Case(fixture: "olmo", changes: ["clip_qkv": .int(-1)], named: "clip_qkv"),
        Case(fixture: "llama", changes: ["rms_norm_eps": .number("-1e-5")], named: "rms_norm_eps"),
        Case(fixture: "llama", changes: ["rms_norm_eps": .bool(false)], named: "rms_norm_eps"),
        Case(fixture: "bert", changes: ["layer_norm_eps": .number("1e300")], named: "layer_norm_eps"),
        Case(fixture: "granite", changes: ["logits_scaling": .int(0)], named: "logits_scaling"),
        Case(fixture: "granite", changes: ["embedding_multiplier": .number("1e300")], named: "embedding_multiplier"),
        // Experts.
        Case(fixture: "mixtral", changes: ["num_experts_per_tok": .int(99)], named: "num_experts_per_tok"),
        Case(fixture: "mixtral", changes: ["num_experts_per_tok": .int(0)], named: "num_experts_per_tok"),
        Case(fixture: "deepseek_v3", changes: ["n_group": .int(3)], named: "num_experts_per_tok"),
        Case(fixture: "deepseek_v3", changes: ["topk_group": .int(9)], named: "num_experts_per_tok"),
    ]

    @Test(arguments: cases)
    func isRefusedByName(_ example: Case) throws {
        let found = try ChangedFixture(example.fixture).configError { config in
            for (key, value) in example.changes { config[key] = value }
        }
        switch found {
        case .invalidConfigValue(_, let key, _, let expected)?: #expect(key == example.named && !expected.isEmpty)
        case .refusedFeature(_, let key, _, let reason)?: #expect(key == example.named && !reason.isEmpty)
        default: Issue.record("found \(String(describing: found))")
        }
    }

    /// A count of experts bounds nothing until a tensor has shown it.
    @Test(arguments: [
        ("mixtral", "num_local_experts"), ("gpt_oss", "num_local_experts"), ("qwen3_moe", "num_local_experts"),
    ])
    func twoBillionExpertsEndAtOnce(name: String, key: String) throws {
        let found = try ChangedFixture(name).configError { $0[key] = Self.huge }
        switch found {
        case .shapeMismatch?, .missingTensor?: break
        default: Issue.record("found \(String(describing: found))")
        }
    }

    /// No sequence reaches so far: the window cuts nothing.
    @Test func aWindowMayBeHuge() throws {
        let blocks = try ChangedFixture("mistral").resolve { $0.config["sliding_window"] = .int(1 << 62) }.attention
        #expect(blocks.allSatisfy { $0.mask.window == nil })
    }

    /// Null in version 5's field leaves version 4's to speak.
    @Test func theScalingThatIsGivenIsRead() throws {
        let block = try ChangedFixture("llama").resolve {
            $0.config["rope_parameters"] = .object(["rope_type": .null, "type": .string("linear"), "factor": .int(2)])
        }.attention[0]
        #expect(block.rotary?.scaling == .linear(factor: 2))
    }
}
