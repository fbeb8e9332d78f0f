import Architectures
import Checkpoints
import TestSupport
import Testing

@Suite struct ResolutionTests {
    @Test(arguments: Fixtures.recorded)
    func everyTensorOfEveryFixtureHasARole(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        let architecture = try Architecture.resolve(checkpoint)
        #expect(architecture.roles.count == checkpoint.tensors.count)
        #expect(!architecture.roles.values.contains { $0.name == "unknown" })
        guard Fixtures.names.contains(name) else { return }
        #expect(architecture.attention.count == 2 && architecture.mlp.count == 2)
        #expect(architecture.hiddenSize == 48)
    }

    @Test func groupedHeadsLieWhereLlamaPutsThem() throws {
        let block = try Architecture.resolve(Checkpoint(opening: Fixtures.path("llama_tied"))).attention[1]
        #expect(block.heads == 4 && block.keyValueHeads == 2 && block.headDimension == 16)
        #expect(block.query.headLayout?.range(group: 1, member: 1) == 48..<64)
        #expect(block.key.headLayout?.range(group: 1, member: 0) == 16..<32)
        #expect(block.output.headLayout?.range(group: 1, member: 0) == 32..<48)
        #expect(block.rotary?.dimensions == 16 && block.rotary?.layout == .halfSplit)
        #expect(block.query.weight == "model.layers.1.self_attn.q_proj.weight" && block.query.bias == nil)
    }

    @Test func fusedProjectionsOfGPT2AreThirdsOfOneTensor() throws {
        let block = try Architecture.resolve(Checkpoint(opening: Fixtures.path("gpt2"))).attention[0]
        #expect(
            [block.query, block.key, block.value].map(\.weight)
                == Array(repeating: "transformer.h.0.attn.c_attn.weight", count: 3))
        #expect([block.query, block.key, block.value].map(\.outputOffset) == [0, 48, 96])
        #expect(block.value.outputAxis == 1 && block.value.headLayout?.range(group: 3, member: 0) == 132..<144)
        #expect(block.output.headLayout?.range(group: 3, member: 0) == 36..<48)
        #expect(block.rotary == nil)
    }

    @Test func biasesAndNormsAreFoundByName() throws {
        let qwen2 = try Architecture.resolve(Checkpoint(opening: Fixtures.path("qwen2"))).attention[0]
        #expect(qwen2.key.bias == "model.layers.0.self_attn.k_proj.bias" && qwen2.output.bias == nil)
        let qwen3 = try Architecture.resolve(Checkpoint(opening: Fixtures.path("qwen3"))).attention[0]
        #expect(
            qwen3.queryKeyNorm?.scope == .head
                && qwen3.queryKeyNorm?.key.first?.weight == "model.layers.0.self_attn.k_norm.weight")
        let biased = try Architecture.resolve(Checkpoint(opening: Fixtures.path("llama_biases")))
        #expect(biased.mlp[1].gate?.bias == "model.layers.1.mlp.gate_proj.bias")
    }

    @Test func aTiedHeadIsSeen() throws {
        #expect(try Architecture.resolve(Checkpoint(opening: Fixtures.path("llama_tied"))).hasTiedHead)
        #expect(try !Architecture.resolve(Checkpoint(opening: Fixtures.path("llama"))).hasTiedHead)
    }

    /// Renames tensors as older files and the hub spell them; the architecture must stay what it was.
    @Test(arguments: [
        ("bert", "", "bert."), ("llama", "model.", ""), ("gpt2", "transformer.", ""), ("vit", "vit.", ""),
        ("clip_vision", "", "vision_model."), ("roberta", "roberta.", ""),
    ])
    func hubPrefixesMayComeOrGo(name: String, prefix: String, other: String) throws {
        var model = try EditableModel(reading: Fixtures.path(name))
        let isHead = { (name: String) in name.hasPrefix("lm_head") || name.hasPrefix("classifier") }
        for place in model.tensors.indices where !isHead(model.tensors[place].name) {
            #expect(model.tensors[place].name.hasPrefix(prefix))
            model.tensors[place].name = other + model.tensors[place].name.dropFirst(prefix.count)
        }
        let folder = try TemporaryDirectory()
        let renamed = try Architecture.resolve(Checkpoint(opening: model.write(to: folder("m"))))
        let original = try Architecture.resolve(Checkpoint(opening: Fixtures.path(name)))
        #expect(renamed.roles.values.map(\.name).sorted() == original.roles.values.map(\.name).sorted())
        #expect(renamed.attention.map(\.query.outputOffset) == original.attention.map(\.query.outputOffset))
    }

    @Test func oldNormNamesAreUnderstood() throws {
        var model = try EditableModel(reading: Fixtures.path("bert"))
        for place in model.tensors.indices where model.tensors[place].name.contains("LayerNorm") {
            let name = model.tensors[place].name
            model.tensors[place].name =
                name.hasSuffix("weight") ? name.dropLast(6) + "gamma" : name.dropLast(4) + "beta"
        }
        let folder = try TemporaryDirectory()
        let architecture = try Architecture.resolve(Checkpoint(opening: model.write(to: folder("m"))))
        #expect(architecture.roles["embeddings.LayerNorm.gamma"]?.name == "norm")
    }

    @Test func buffersAndHeadsOfHubFilesAreDeclared() throws {
        var model = try EditableModel(reading: Fixtures.path("gpt2"))
        model.tensors.append(
            .init(name: "transformer.h.0.attn.bias", type: .u8, shape: [1, 1, 2, 2], bytes: [1, 0, 1, 1]))
        model.tensors.append(
            .init(name: "transformer.h.1.attn.masked_bias", type: .f32, shape: [], bytes: [0, 0, 0, 0]))
        let folder = try TemporaryDirectory()
        let architecture = try Architecture.resolve(Checkpoint(opening: model.write(to: folder("m"))))
        let role = architecture.roles["transformer.h.0.attn.bias"]
        #expect(role?.name == "buffer" && role?.layer == 0)
    }

    /// transformers 4 wrote `rope_theta`, `rope_scaling` and `torch_dtype` where 5 writes `rope_parameters` and `dtype`.
    @Test func bothConfigSpellingsAreRead() throws {
        var model = try EditableModel(reading: Fixtures.path("llama_scaled"))
        #expect(model.config["rope_parameters"]?["rope_type"]?.string == "llama3")
        model.config["rope_scaling"] = .object(["type": .string("linear"), "factor": .double(2)])
        model.config["rope_parameters"] = nil
        model.config["rope_theta"] = .int(10000)
        model.config["head_dim"] = .null
        let folder = try TemporaryDirectory()
        #expect(
            try Architecture.resolve(Checkpoint(opening: model.write(to: folder("m")))).attention[0].headDimension == 12
        )
    }
}
