import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Language models whose configuration is a part of config.json, and towers beside them.
@Suite struct TextPartTests {
    private func text(_ model: inout EditableModel, _ change: (inout JSONObject) -> Void) {
        var part = model.config["text_config"]?.object ?? [:]
        change(&part)
        model.config["text_config"] = .object(part)
    }

    private func rename(_ model: inout EditableModel, _ change: (String) -> String) {
        for place in model.tensors.indices { model.tensors[place].name = change(model.tensors[place].name) }
    }

    /// Names as transformers 5 has them in memory.
    @Test(arguments: ["gemma3", "llava", "llava_mistral", "llava_qwen2", "mistral3", "qwen2_vl", "qwen2_5_vl"])
    func laterNamesAreKnown(name: String) throws {
        let fixture = try ChangedFixture(name)
        let before = try fixture.resolve()
        let after = try fixture.resolve { model in
            rename(&model) { name in
                if name.contains("lm_head") { return "lm_head.weight" }
                for prefix in ["language_model.model.", "model."] where name.hasPrefix(prefix) {
                    return "model.language_model." + name.dropFirst(prefix.count)
                }
                return "model." + name
            }
        }
        #expect(after.attention.count == before.attention.count && after.hasTiedHead == before.hasTiedHead)
        #expect(after.roles.values.map(\.name).sorted() == before.roles.values.map(\.name).sorted())
        #expect(after.opaqueParts.map(\.tensors.count) == before.opaqueParts.map(\.tensors.count))
    }

    /// What a part leaves out stands at transformers' default, as in published files.
    @Test func defaultsAreThoseOfThePart() throws {
        let fixture = try ChangedFixture("gemma3")
        let error = try fixture.error { model in text(&model) { $0["hidden_size"] = nil } }
        #expect(
            error
                == .shapeMismatch(
                    path: fixture.path, tensor: "language_model.model.embed_tokens.weight", expected: [61, 2304],
                    found: [61, 32]))
    }

    /// Older files of Qwen2-VL have the language model's members in config.json itself.
    @Test(arguments: ["qwen2_vl", "qwen2_5_vl"])
    func thePartMayBeTheWhole(name: String) throws {
        let fixture = try ChangedFixture(name)
        let before = try fixture.resolve()
        let after = try fixture.resolve { model in
            let part = model.config["text_config"]?.object ?? [:]
            for member in part.members where !["model_type", "rope_parameters"].contains(member.key) {
                model.config[member.key] = member.value
            }
            model.config["rope_scaling"] = .object([
                "type": .string("mrope"), "mrope_section": .array([.int(1), .int(2), .int(1)]),
            ])
            model.config["rope_theta"] = .int(10000)
            model.config["text_config"] = nil
        }
        #expect(after.attention == before.attention && after.mlp == before.mlp)
        let error = try fixture.configError { config in
            config["text_config"] = nil
            config["hidden_size"] = .string("wide")
        }
        #expect(
            error
                == .invalidConfigValue(
                    path: fixture.path, key: "hidden_size", found: "\"wide\"", expected: "a positive whole number"))
    }

    /// Whatever a tower's part says is copied; what the language model's says is read as strictly as ever, and named by its place.
    @Test func towersAreNotReadAndTextIs() throws {
        let fixture = try ChangedFixture("llava")
        #expect(try fixture.configError { $0["vision_config"] = .object(["anything": .int(3)]) } == nil)
        #expect(try fixture.configError { $0["vision_feature_layer"] = .int(-1) } == nil)
        let unread = try fixture.error { model in text(&model) { $0["per_layer_config"] = .object([:]) } }
        guard case .refusedFeature(_, "text_config.per_layer_config", _, _)? = unread else {
            Issue.record("\(String(describing: unread))")
            return
        }
        let heads = try fixture.error { model in text(&model) { $0["num_attention_heads"] = .double(0.5) } }
        #expect(
            heads
                == .invalidConfigValue(
                    path: fixture.path, key: "text_config.num_attention_heads", found: "0.5",
                    expected: "a positive whole number"))
        let outer = try fixture.configError { $0["tie_word_embeddings"] = .int(1) }
        #expect(
            outer
                == .invalidConfigValue(
                    path: fixture.path, key: "tie_word_embeddings", found: "1", expected: "true or false"))
        #expect(
            try fixture.configError { $0["text_config"] = nil }
                == .missingConfigValue(path: fixture.path, keys: ["text_config"]))
        let other = try fixture.error { model in text(&model) { $0["model_type"] = .string("gemma") } }
        #expect(
            other
                == .refusedFeature(
                    path: fixture.path, key: "text_config.model_type", found: "\"gemma\"",
                    reason: "llava is described with language models of type llama, mistral, qwen2"))
    }

    /// Every tensor beside the tower is accounted for, and the tower must be there.
    @Test(arguments: ["gemma3", "llava", "mistral3", "qwen2_vl", "qwen3_vl"])
    func theWorldStaysClosed(name: String) throws {
        let fixture = try ChangedFixture(name)
        let stray = try fixture.error { model in
            model.tensors.append(.init(name: "adapter.weight", type: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        }
        guard case .unknownTensor(_, "adapter.weight", _)? = stray else {
            Issue.record("\(String(describing: stray))")
            return
        }
        let bare = try fixture.error { model in
            model.tensors.removeAll {
                $0.name.contains("visual") || $0.name.contains("vision") || $0.name.contains("modal")
            }
        }
        guard case .missingTensor(_, let tensor, _)? = bare else {
            Issue.record("\(String(describing: bare))")
            return
        }
        #expect(tensor.hasSuffix(".*"))
    }

    /// A layer without its opaque tensors, or with one that lies elsewhere.
    @Test(arguments: ["lfm2", "jamba", "bamba", "granitemoehybrid", "falcon_h1", "nemotron_h", "qwen3_next", "qwen3_5"])
    func opaqueLayersMustBeThere(name: String) throws {
        let fixture = try ChangedFixture(name)
        let part = try #require(try fixture.resolve().opaqueParts.last)
        let missing = try fixture.error { model in model.tensors.removeAll { part.tensors.contains($0.name) } }
        guard case .missingTensor(_, let tensor, _)? = missing else {
            Issue.record("\(String(describing: missing))")
            return
        }
        #expect(part.tensors.contains { $0.hasPrefix(tensor.dropLast()) })
        let moved = try #require(part.tensors.first).replacing("layers.0.", with: "layers.0.x")
        let stray = try fixture.error { model in rename(&model) { $0 == part.tensors.first ? moved : $0 } }
        guard case .unknownTensor(_, moved, _)? = stray else {
            Issue.record("\(String(describing: stray))")
            return
        }
    }

    /// Layers that predict further tokens are no part of what transformers evaluates.
    @Test(arguments: ["qwen3_next", "qwen3_5_text", "nemotron_h"])
    func predictionLayersAreCopied(name: String) throws {
        let architecture = try ChangedFixture(name).resolve { model in
            model.tensors.append(.init(name: "mtp.layers.0.norm.weight", type: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        }
        #expect(architecture.roles["mtp.layers.0.norm.weight"]?.name == "prediction_layer")
        #expect(architecture.notes.contains { $0.contains("predict further tokens") })
    }

    @Test func nemotronMayWriteItsLayersAsLetters() throws {
        let fixture = try ChangedFixture("nemotron_h")
        let before = try fixture.resolve()
        func letters(_ letters: String) -> (inout JSONObject) -> Void {
            { config in
                config["layers_block_type"] = nil
                config["hybrid_override_pattern"] = .string(letters)
                config["num_hidden_layers"] = .int(4)
            }
        }
        #expect(try fixture.resolve { letters("M*-E")(&$0.config) }.mlp == before.mlp)
        #expect(try fixture.configError(letters("M*-")) != nil)
        #expect(try fixture.configError(letters("M-*E")) != nil)
        let both = try fixture.configError { $0["hybrid_override_pattern"] = .string("M*-EM") }
        #expect(
            both
                == .contradiction(
                    path: fixture.path, key: "layers_block_type", found: "for 4 layers",
                    other: "hybrid_override_pattern",
                    otherFound: "for 5"))
    }

    /// Every pair is turned by one angle whichever axis its position is taken along.
    @Test(arguments: ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_5"])
    func positionsHaveThreeAxes(name: String) throws {
        let blocks = try ChangedFixture(name).resolve().attention
        #expect(!blocks.isEmpty && blocks.allSatisfy { $0.rotary?.axes == 3 })
    }
}
