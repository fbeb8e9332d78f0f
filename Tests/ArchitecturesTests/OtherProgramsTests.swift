import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Keys that transformers does not read, and the code that a checkpoint names does: they must agree with what is read, or are refused.
@Suite struct OtherProgramsTests {
    /// Keys of Nomic's own files, as they say the same.
    private static let nomic: JSONObject = [
        "n_embd": .int(32), "n_layer": .int(2), "n_head": .int(4), "n_inner": .int(40),
        "layer_norm_epsilon": .double(1e-12), "activation_function": .string("swiglu"), "prenorm": .bool(false),
        "parallel_block": .bool(false), "use_rms_norm": .null, "causal": .bool(false),
        "rotary_emb_base": .int(1000), "rotary_emb_fraction": .double(1),
        "rotary_emb_interleaved": .bool(false), "rotary_emb_scale_base": .null, "rotary_scaling_factor": .null,
        "n_positions": .int(8192), "qkv_proj_bias": .bool(false),
    ]

    @Test func agreeingKeysAreTaken() throws {
        let fixture = try ChangedFixture("nomic_bert")
        let plain = try fixture.resolve()
        let found = try fixture.resolve { model in
            for member in Self.nomic.members { model.config[member.key] = member.value }
        }
        #expect(found.stacks == plain.stacks)
    }

    @Test(arguments: [
        ("n_embd", JSONValue.int(33)), ("n_layer", .int(3)), ("n_head", .int(2)), ("n_inner", .int(41)),
        ("layer_norm_epsilon", .double(1e-5)), ("rotary_emb_base", .int(10000)),
    ])
    func othersContradict(key: String, value: JSONValue) throws {
        let found = try ChangedFixture("nomic_bert").error { $0.config[key] = value }
        guard case .contradiction? = found else {
            Issue.record("\(key): \(String(describing: found))")
            return
        }
    }

    @Test(arguments: [
        ("nomic_bert", "activation_function", JSONValue.string("gelu")), ("nomic_bert", "prenorm", .bool(true)),
        ("nomic_bert", "parallel_block", .bool(true)), ("nomic_bert", "use_rms_norm", .bool(true)),
        ("nomic_bert", "causal", .bool(true)), ("nomic_bert", "rotary_emb_fraction", .double(0.5)),
        ("nomic_bert", "rotary_emb_interleaved", .bool(true)), ("nomic_bert", "rotary_scaling_factor", .int(2)),
        ("eurobert_classifier", "clf_pooling", .string("mean")),
        ("eurobert_classifier", "classifier_pooling", .string("max")),
        ("mbart", "normalize_before", .bool(false)), ("mbart", "add_final_layer_norm", .bool(false)),
        ("mpnet", "relative_attention_num_buckets", .int(16)), ("umt5", "is_decoder", .bool(true)),
    ])
    func othersAreRefused(name: String, key: String, value: JSONValue) throws {
        let found = try ChangedFixture(name).error { $0.config[key] = value }
        guard case .refusedFeature(_, key, _, _)? = found else {
            Issue.record("\(key): \(String(describing: found))")
            return
        }
    }
}
