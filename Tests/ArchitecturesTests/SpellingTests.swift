import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// One setting under two names, or in two places: the same everywhere, or refused with both names.
@Suite struct SpellingTests {
    /// Second names alone, and beside the first with the same value.
    static let aliases: [(fixture: String, key: String, alias: String, other: Int)] = [
        ("gpt2", "n_head", "num_attention_heads", 2), ("gpt2", "n_embd", "hidden_size", 64),
        ("gptj", "n_head", "num_attention_heads", 2), ("bloom", "n_head", "num_attention_heads", 2),
        ("bloom", "hidden_size", "n_embed", 64), ("gpt_neo", "num_heads", "num_attention_heads", 2),
        ("gpt_bigcode", "n_head", "num_attention_heads", 2), ("distilbert", "n_heads", "num_attention_heads", 2),
        ("bart", "encoder_attention_heads", "num_attention_heads", 2),
        ("whisper", "encoder_attention_heads", "num_attention_heads", 2), ("t5", "num_heads", "num_attention_heads", 2),
        ("t5", "d_kv", "head_dim", 24), ("mixtral", "num_local_experts", "num_experts", 2),
        ("deepseek_v3", "n_routed_experts", "num_local_experts", 2), ("olmoe", "num_experts", "num_local_experts", 2),
        ("glm4_moe", "n_routed_experts", "num_local_experts", 2),
        ("minimax_m2", "num_local_experts", "num_experts", 2), ("deepseek_v2", "n_routed_experts", "num_experts", 2),
    ]

    @Test(arguments: aliases.indices)
    func aSecondNameMeansTheSame(number: Int) throws {
        let (name, key, alias, other) = Self.aliases[number]
        let fixture = try ChangedFixture(name)
        let plain = try fixture.resolve()
        let value = try #require(try EditableModel(reading: Fixtures.path(name)).config[key])
        let renamed = try fixture.resolve {
            $0.config[key] = nil
            $0.config[alias] = value
        }
        #expect(renamed == plain)
        #expect(try fixture.resolve { $0.config[alias] = value } == plain)
        let found = try fixture.configError { $0[alias] = .int(other) }
        #expect(
            found
                == .contradiction(
                    path: fixture.path, key: key, found: value.serialized(), other: alias, otherFound: "\(other)"))
        let text = try #require(found).description
        #expect(text.contains(key) && text.contains(alias))
    }

    /// A number that is wrong is reported under the name that it has in the file.
    @Test func errorsSayWhatTheFileSays() throws {
        let fixture = try ChangedFixture("gpt2")
        let found = try fixture.configError {
            $0["n_head"] = nil
            $0["num_attention_heads"] = .int(-4)
        }
        #expect(
            found
                == .invalidConfigValue(
                    path: fixture.path, key: "num_attention_heads", found: "-4", expected: "a positive whole number"))
    }

    private static let linear: JSONValue = .object(["rope_type": .string("linear"), "factor": .int(2)])

    /// Settings in which something stands in two places, each with other values.
    static let contradictions: [(fixture: String, what: String, change: @Sendable (inout JSONObject) -> Void)] = [
        ("llama", "rope_scaling beside rope_parameters", { $0["rope_scaling"] = linear }),
        ("llama", "two bases", { $0["rope_theta"] = .double(500) }),
        (
            "llama", "two kinds in one object",
            {
                $0["rope_parameters"] = .object([
                    "rope_type": .string("default"), "type": .string("linear"), "factor": .int(2),
                ])
            }
        ),
        (
            "llama_scaled", "two original lengths",
            { $0["original_max_position_embeddings"] = .int(4096) }
        ),
        ("gpt_neox", "a base that is not read", { $0["rope_theta"] = .double(500) }),
        ("gpt_neox", "two shares", { $0["rotary_pct"] = .double(0.75) }),
        ("gpt_neox", "a share that is not read", { $0["partial_rotary_factor"] = .double(0.75) }),
        ("phi", "a share at the top", { $0["partial_rotary_factor"] = .double(0.75) }),
        ("stablelm", "a share at the top", { $0["partial_rotary_factor"] = .double(0.75) }),
        ("glm4_moe", "a share at the top", { $0["partial_rotary_factor"] = .double(0.75) }),
        ("minimax_m2", "a share and a count", { $0["rotary_dim"] = .int(6) }),
        ("phi3_partial", "a share at the top", { $0["partial_rotary_factor"] = .double(0.25) }),
        (
            "phi", "a share in rope_scaling",
            {
                $0["rope_scaling"] = .object([
                    "rope_type": .string("default"), "partial_rotary_factor": .double(0.75),
                    "rope_theta": .double(10000),
                ])
            }
        ),
        ("t5", "dense_act_fn", { $0["dense_act_fn"] = .string("silu") }),
        ("t5", "is_gated_act", { $0["is_gated_act"] = .bool(true) }),
        ("t5_gated", "is_gated_act", { $0["is_gated_act"] = .bool(false) }),
        ("modernbert", "sliding_window", { $0["sliding_window"] = .int(1) }),
        ("deepseek_v3", "head_dim", { $0["head_dim"] = .int(2) }),
        (
            "clip", "a tower's second configuration",
            { $0["text_config_dict"] = .object(["num_attention_heads": .int(2)]) }
        ),
    ]

    @Test(arguments: contradictions.indices)
    func twoPlacesThatDisagreeAreRefused(number: Int) throws {
        let (name, what, change) = Self.contradictions[number]
        let found = try ChangedFixture(name).configError(change)
        guard case .contradiction(_, let key, let value, let other, let otherValue)? = found else {
            Issue.record("\(name), \(what): found \(String(describing: found))")
            return
        }
        #expect(key != other && value != otherValue)
    }

    /// MiniMax-M2 counts the rotated channels; transformers writes their share beside.
    @Test func aShareMayBeStatedAsACount() throws {
        let fixture = try ChangedFixture("minimax_m2")
        func rotated(_ share: JSONValue?, count: JSONValue?, top: JSONValue? = nil) throws -> Int? {
            let model = try fixture.resolve {
                var settings = $0.config["rope_parameters"]?.object ?? [:]
                settings["partial_rotary_factor"] = share
                $0.config["rope_parameters"] = .object(settings)
                $0.config["partial_rotary_factor"] = top
                $0.config["rotary_dim"] = count
            }
            return model.attention.first?.rotary?.dimensions
        }
        #expect(try rotated(nil, count: .int(4)) == 4)
        #expect(try rotated(.double(0.5), count: nil) == 6)
        #expect(try rotated(.double(0.5), count: .int(6)) == 6)
        #expect(try rotated(nil, count: .int(6), top: .double(0.5)) == 6)
        #expect(try rotated(nil, count: nil) == 12)
        #expect(try rotated(nil, count: .null) == 12)
        #expect(throws: ArchitectureError.self) { try rotated(nil, count: .int(14)) }
        // To transformers this null is a share that is there.
        #expect(throws: ArchitectureError.self) { try rotated(nil, count: .int(4), top: .null) }
    }

    /// Settings that say the same in two places, or in the other place.
    @Test func placesThatAgreeAreRead() throws {
        let fixture = try ChangedFixture("llama_scaled")
        let plain = try fixture.resolve()
        let settings = try #require(try EditableModel(reading: Fixtures.path("llama_scaled")).config["rope_parameters"])
        #expect(try fixture.resolve { $0.config["rope_scaling"] = settings } == plain)
        let moved = try fixture.resolve {
            var scaling = settings.object ?? [:]
            $0.config["rope_theta"] = scaling["rope_theta"]
            scaling["rope_theta"] = nil
            $0.config["rope_scaling"] = .object(scaling)
        }
        #expect(moved == plain)
        let gated = try ChangedFixture("t5_gated")
        let stated = try gated.resolve {
            $0.config["is_gated_act"] = .bool(true)
            $0.config["dense_act_fn"] = .string("gelu_new")
        }
        #expect(try stated == gated.resolve())
        let clip = try ChangedFixture("clip")
        let twice = try clip.resolve { $0.config["text_config_dict"] = $0.config["text_config"] }
        #expect(try twice == clip.resolve())
    }

    /// What transformers reads and the description does not.
    static let unread: [(fixture: String, key: String, value: JSONValue)] = [
        ("llama", "sliding_window", .int(4)), ("llama", "layer_types", .array([.string("sliding_attention")])),
        ("llama", "per_layer_config", .object(["0": .object([:])])), ("whisper", "scale_embedding", .bool(true)),
        ("gpt2", "attention_chunk_size", .int(4)), ("t5", "is_encoder_decoder", .bool(false)),
        ("gpt_neo", "kv_sharing_modes", .array([.string("reuse")])),
    ]

    @Test(arguments: unread.indices)
    func whatIsNotDescribedIsRefused(number: Int) throws {
        let (name, key, value) = Self.unread[number]
        let found = try ChangedFixture(name).configError { $0[key] = value }
        guard case .refusedFeature(_, key, value.serialized(), _)? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    /// Keys that change nothing, at whatever value, and others at the value that they have anyway.
    @Test func whatChangesNothingIsRead() throws {
        let fixture = try ChangedFixture("llama")
        let plain = try fixture.resolve()
        let changed = try fixture.resolve {
            $0.config["attention_dropout"] = .double(0.3)
            $0.config["something_else"] = .object(["deep": .array([.int(1)])])
            $0.config["sliding_window"] = .null
            $0.config["layer_types"] = .array([.string("full_attention"), .string("full_attention")])
        }
        #expect(changed == plain)
    }

    /// GPT-Neo's kinds of layers, where only the short form is there.
    @Test func kindsWithCountsAreRead() throws {
        let fixture = try ChangedFixture("gpt_neo")
        let types: JSONValue = .array([.array([.array([.string("local"), .string("global")]), .int(1)])])
        let blocks = try fixture.resolve {
            $0.config["attention_layers"] = nil
            $0.config["attention_types"] = types
        }.attention
        #expect(blocks.map { $0.mask.window != nil } == [true, false])
    }

    @Test func aFamilyWithoutAVariantThatMatchesIsRefused() throws {
        let fixture = try ChangedFixture("gpt_bigcode")
        #expect(
            try fixture.configError { $0["multi_query"] = .int(3) }
                == .invalidConfigValue(path: fixture.path, key: "multi_query", found: "3", expected: "one of true"))
    }
}
