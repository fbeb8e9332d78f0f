import Architectures
import Checkpoints
import TestSupport
import Testing

/// Names that transformers and the hub's files use for heads, buffers and prefixes beyond what the fixtures hold.
@Suite struct HubNamesTests {
    private static func zeros(_ name: String, _ shape: [Int]) -> EditableModel.Tensor {
        .init(name: name, type: .f32, shape: shape, bytes: [UInt8](repeating: 0, count: 4 * shape.reduce(1, *)))
    }

    /// Fixture, prefix that its tensors get besides, and tensors that are added, with their roles.
    static let extras: [(fixture: String, prefix: String, added: [(String, [Int], String)])] = [
        (
            "bert", "bert.",
            [
                ("cls.predictions.bias", [61], "head_bias"), ("cls.predictions.decoder.weight", [61, 48], "head"),
                ("cls.predictions.decoder.bias", [61], "head_bias"),
                ("cls.seq_relationship.weight", [2, 48], "task_head"),
                ("cls.seq_relationship.bias", [2], "task_head"), ("bert.embeddings.position_ids", [1, 32], "buffer"),
                ("cls.predictions.transform.LayerNorm.gamma", [48], "norm"),
                ("cls.predictions.transform.LayerNorm.beta", [48], "norm"),
            ]
        ),
        ("bert", "", [("qa_outputs.weight", [2, 48], "task_head"), ("qa_outputs.bias", [2], "task_head")]),
        ("bert", "bert.", [("classifier.weight", [7, 48], "task_head"), ("classifier.bias", [7], "task_head")]),
        (
            "gpt2", "",
            [
                ("multiple_choice_head.summary.weight", [1, 48], "task_head"),
                ("multiple_choice_head.summary.bias", [1], "task_head"), ("lm_head.weight", [61, 48], "head"),
                ("transformer.h.0.attn.bias", [1, 1, 32, 32], "buffer"),
                ("transformer.h.1.attn.masked_bias", [], "buffer"),
            ]
        ),
        ("llama_tied", "", [("score.weight", [2, 48], "task_head"), ("score.bias", [2], "task_head")]),
        ("llama_tied", "", [("model.layers.1.self_attn.rotary_emb.inv_freq", [8], "buffer")]),
        ("clip_vision", "vision_model.", [("visual_projection.weight", [512, 48], "task_head")]),
        ("clip_vision", "vision_model.", [("vision_model.embeddings.position_ids", [1, 5], "buffer")]),
        ("vit", "", [("vit.embeddings.mask_token", [1, 1, 48], "mask_embedding")]),
        ("vit", "", [("decoder.0.weight", [192, 48, 1, 1], "task_head"), ("decoder.0.bias", [192], "task_head")]),
        ("roberta", "", [("lm_head.dense.weight", [48, 48], "head_transform"), ("lm_head.bias", [61], "head_bias")]),
        (
            "electra", "electra.",
            [
                ("electra.embeddings.position_ids", [1, 32], "buffer"),
                ("discriminator_predictions.dense.weight", [32, 32], "task_head"),
                ("discriminator_predictions.dense.bias", [32], "task_head"),
                ("discriminator_predictions.dense_prediction.weight", [1, 32], "task_head"),
                ("discriminator_predictions.dense_prediction.bias", [1], "task_head"),
            ]
        ),
        (
            "albert", "albert.",
            [
                ("albert.embeddings.position_ids", [1, 32], "buffer"), ("predictions.bias", [61], "head_bias"),
                ("predictions.dense.weight", [24, 32], "head_transform"),
                ("predictions.decoder.weight", [61, 24], "head"), ("predictions.decoder.bias", [61], "head_bias"),
                ("sop_classifier.classifier.weight", [2, 32], "task_head"),
                ("sop_classifier.classifier.bias", [2], "task_head"),
            ]
        ),
        (
            "clip", "",
            [
                ("text_model.embeddings.position_ids", [1, 32], "buffer"),
                ("vision_model.embeddings.position_ids", [1, 17], "buffer"),
            ]
        ),
        (
            "t5", "",
            [("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", [8, 4], "buffer")]
        ),
        (
            "gpt_neo", "",
            [
                ("transformer.h.0.attn.attention.bias", [1, 1, 32, 32], "buffer"),
                ("transformer.h.1.attn.attention.masked_bias", [], "buffer"), ("lm_head.weight", [61, 32], "head"),
            ]
        ),
        (
            "gptj", "",
            [
                ("transformer.h.0.attn.bias", [1, 1, 32, 32], "buffer"),
                ("transformer.h.1.attn.masked_bias", [], "buffer"),
            ]
        ),
        (
            "gpt_neox", "",
            [
                ("gpt_neox.layers.0.attention.bias", [1, 1, 32, 32], "buffer"),
                ("gpt_neox.layers.0.attention.masked_bias", [], "buffer"),
                ("gpt_neox.layers.1.attention.rotary_emb.inv_freq", [1], "buffer"),
            ]
        ),
        ("opt", "", [("lm_head.weight", [61, 32], "head")]),
        ("bloom", "", [("lm_head.weight", [61, 48], "head")]),
        ("whisper", "", [("proj_out.weight", [61, 32], "head")]),
        (
            "distilbert", "",
            [("vocab_projector.weight", [61, 32], "head"), ("distilbert.embeddings.position_ids", [1, 32], "buffer")]
        ),
        ("gemma2", "", [("lm_head.weight", [61, 32], "head")]),
        (
            "mpnet", "mpnet.",
            [
                ("mpnet.embeddings.position_ids", [1, 32], "buffer"), ("lm_head.bias", [61], "head_bias"),
                ("lm_head.decoder.weight", [61, 32], "head"), ("lm_head.dense.weight", [32, 32], "head_transform"),
            ]
        ),
        ("umt5", "", [("lm_head.weight", [61, 32], "head")]),
        ("mbart", "", [("lm_head.weight", [61, 32], "head")]),
        ("xlm_roberta_xl", "", [("roberta.pooler.dense.weight", [32, 32], "pooler")]),
        ("megatron_bert", "", [("cls.seq_relationship.weight", [2, 32], "task_head")]),
        ("vit_msn", "vit.", [("vit.embeddings.mask_token", [1, 1, 32], "mask_embedding")]),
        ("siglip_text", "text_model.", [("text_model.embeddings.position_ids", [1, 32], "buffer")]),
        ("eurobert", "", [("classifier.weight", [3, 32], "task_head"), ("dense.weight", [32, 32], "task_head")]),
    ]

    @Test(arguments: extras.indices)
    func declared(number: Int) throws {
        let (name, prefix, added) = Self.extras[number]
        let architecture = try ChangedFixture(name).resolve { model in
            if !prefix.isEmpty {
                for place in model.tensors.indices where !model.tensors[place].name.hasPrefix(prefix) {
                    model.tensors[place].name = prefix + model.tensors[place].name
                }
            }
            model.tensors += added.map { Self.zeros($0.0, $0.1) }
        }
        for (tensor, _, role) in added { #expect(architecture.roles[tensor]?.name == role) }
    }

    /// Older files hold the shared embedding under every name that transformers knows it by.
    @Test(arguments: [
        ("t5", "shared.weight", ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"]),
        (
            "bart", "model.shared.weight",
            ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"]
        ),
    ])
    func sharedEmbeddings(name: String, shared: String, copies: [String]) throws {
        let architecture = try ChangedFixture(name).resolve { model in
            let table = model.tensors[try model.index(shared)]
            for copy in copies {
                model.tensors.append(.init(name: copy, type: table.type, shape: table.shape, bytes: table.bytes))
            }
        }
        #expect(architecture.attention.count == 6)
    }

    /// Files of the encoder and decoder without the class around them.
    @Test(arguments: [("bloom", "transformer."), ("bart", "model."), ("opt", "model."), ("gpt_neo", "transformer.")])
    func withoutPrefix(name: String, prefix: String) throws {
        let fixture = try ChangedFixture(name)
        let count = try fixture.resolve { _ in }.attention.count
        let bare = try fixture.resolve { model in
            model.tensors.removeAll { !$0.name.hasPrefix(prefix) }
            for place in model.tensors.indices {
                model.tensors[place].name = String(model.tensors[place].name.dropFirst(prefix.count))
            }
        }
        #expect(bare.attention.count == count)
    }

    /// LlamaForQuestionAnswering stores its model under `transformer.`.
    @Test func llamaUnderGPT2sPrefix() throws {
        let architecture = try ChangedFixture("llama").resolve { model in
            model.tensors.removeAll { $0.name == "lm_head.weight" }
            for place in model.tensors.indices {
                model.tensors[place].name = "transformer." + model.tensors[place].name.dropFirst("model.".count)
            }
            model.tensors += [Self.zeros("qa_outputs.weight", [2, 48]), Self.zeros("qa_outputs.bias", [2])]
            model.config["architectures"] = .array([.string("LlamaForQuestionAnswering")])
        }
        #expect(architecture.attention[1].key.weight == "transformer.layers.1.self_attn.k_proj.weight")
    }

    /// A decoder without its head is taken for its states; where its class has a head and nothing ties it, that is said.
    @Test(arguments: ["model.", ""])
    func headsAreMissedWhereTheClassHasThem(prefix: String) throws {
        let fixture = try ChangedFixture("llama")
        func notes(_ change: (inout EditableModel) -> Void) throws -> [String] {
            let model = try fixture.resolve { model in
                model.tensors.removeAll { $0.name == "lm_head.weight" }
                model.rename([("model.", prefix)])
                change(&model)
            }
            if case .language = model.head { return model.notes + ["head"] }
            return model.notes
        }
        let found = try notes { _ in }
        #expect(found.count == 1 && found[0].contains("lm_head.weight"))
        #expect(try notes { $0.config["architectures"] = .array([.string("LlamaModel")]) } == [])
        #expect(try notes { $0.config["architectures"] = nil } == [])
        #expect(try notes { $0.config["tie_word_embeddings"] = .bool(true) } == ["head"])
    }

    /// Heads with parts of their own, and those behind an encoder, are incomplete without their last map.
    @Test(arguments: ["bert_masked_lm", "t5_gated"])
    func otherHeadsMustBeWhole(name: String) throws {
        let fixture = try ChangedFixture(name)
        let found = try fixture.error { model in
            model.tensors.removeAll { ["lm_head.weight", "cls.predictions.decoder.weight"].contains($0.name) }
            model.config["tie_word_embeddings"] = .bool(false)
        }
        guard case .missingTensor? = found else {
            Issue.record("found \(String(describing: found))")
            return
        }
    }

    /// DeepSeek-V3 and GLM-4.5 store layers that predict further tokens behind their own.
    @Test(arguments: ["deepseek_v3", "glm4_moe"])
    func predictionLayersAreCopiedAndNamed(name: String) throws {
        let fixture = try ChangedFixture(name)
        let plain = try fixture.resolve()
        func add(_ model: inout EditableModel, layers: [Int]) {
            for layer in layers {
                for name in ["eh_proj", "self_attn.q_a_proj"] {
                    model.tensors.append(Self.zeros("model.layers.\(layer).\(name).weight", [3, 5]))
                }
            }
        }
        let found = try fixture.resolve { add(&$0, layers: [2]) }
        let role = try #require(found.roles["model.layers.2.eh_proj.weight"])
        #expect(role.name == "prediction_layer" && role.layer == 2)
        #expect(found.notes.count == 1 && found.notes[0].hasPrefix("2 tensors from layer 2 on"))
        #expect(found.stacks == plain.stacks && plain.notes == [])
        let two = try fixture.resolve {
            add(&$0, layers: [2, 3])
            $0.config["num_nextn_predict_layers"] = .int(2)
        }
        #expect(two.notes.first?.hasPrefix("4 tensors") == true)
        for (layers, count) in [([3], 1), ([2], 0), ([2, 3, 4], 2)] {
            let error = try fixture.error {
                add(&$0, layers: layers)
                $0.config["num_nextn_predict_layers"] = .int(count)
            }
            guard case .unknownTensor? = error else {
                Issue.record("\(layers) of \(count): \(String(describing: error))")
                continue
            }
        }
    }

    /// ERNIE 4.5's files keep theirs beside the layers, one tensor for each depth.
    @Test func predictionBlocksAreCopiedAndNamed() throws {
        let names = ["mtp_block.0.mlp.up_proj", "mtp_emb_norm.0", "mtp_linear_proj.0"].map { "model.\($0).weight" }
        let found = try ChangedFixture("ernie4_5_moe").resolve { model in
            model.tensors += names.map { Self.zeros($0, [3, 5]) }
        }
        for name in names { #expect(found.roles[name]?.name == "prediction_layer") }
        #expect(found.notes.count == 1 && found.notes[0].hasPrefix("3 tensors"))
    }

    @Test func twinsUnderTwoPrefixesAreRefused() throws {
        let fixture = try ChangedFixture("llama")
        let found = try fixture.error { $0.tensors.append(Self.zeros("norm.weight", [48])) }
        #expect(found == .ambiguousTensor(path: fixture.path, tensor: "norm.weight", other: "model.norm.weight"))
        // A required one and an optional one; neither may pass for the model's prefix.
        let bert = try ChangedFixture("bert")
        for name in ["embeddings.LayerNorm.bias", "pooler.dense.bias"] {
            let other = try bert.error { $0.tensors.append(Self.zeros("bert." + name, [48])) }
            #expect(other == .ambiguousTensor(path: bert.path, tensor: "bert." + name, other: name))
        }
    }

    /// A stray name that looks like a prefix must not change what the others are taken for.
    @Test func aStrayDoesNotChooseThePrefix() throws {
        let fixture = try ChangedFixture("bert")
        let found = try fixture.error { $0.tensors.append(Self.zeros("bert.extra", [1])) }
        #expect(found == .unknownTensor(path: fixture.path, tensor: "bert.extra", family: "bert"))
    }

    static let strangers = [
        ("bert", "cls.evil"), ("bert", "classifier.0.weight"), ("gpt2", "transformer.h.0.crossattention.c_attn.weight"),
        ("llama", "model.layers.0.self_attn.q_proj.lora_A.weight"), ("llama", "model.layers.2.input_layernorm.weight"),
        ("clip_vision", "text_model.final_layer_norm.weight"), ("vit", "vit.encoder.layer.00.layernorm_before.bias"),
    ]

    @Test(arguments: strangers)
    func strangersAreNamed(name: String, tensor: String) throws {
        let fixture = try ChangedFixture(name)
        #expect(
            try fixture.error { $0.tensors.append(Self.zeros(tensor, [48])) }
                == .unknownTensor(path: fixture.path, tensor: tensor, family: name))
    }
}
