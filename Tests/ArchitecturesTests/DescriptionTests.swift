import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Descriptions are data; a slip in one must be found when it is decoded, not when a model is damaged by it.
@Suite struct DescriptionTests {
    @Test func everyFileIsEmbeddedAsItIs() throws {
        let folder = Fixtures.root + "/../../Sources/Architectures/Descriptions"
        let files = Files.names(in: folder)
        #expect(files == ModelDescription.embedded.keys.map { $0 + ".json" }.sorted())
        for (name, bytes) in ModelDescription.embedded {
            #expect(try Files.read("\(folder)/\(name).json") == bytes)
        }
    }

    @Test func modelTypesAreNotClaimedTwice() throws {
        let library = try ModelDescription.library()
        for type in Set(library.flatMap(\.modelTypes)) {
            let claiming = library.filter { $0.modelTypes.contains(type) }
            #expect(claiming.count == 1 || claiming.allSatisfy(\.isConditional), "\(type)")
        }
        #expect(library.count >= 50)
    }

    /// Sets a member of the description of qwen3, which uses nearly every field, at a path of keys and places.
    private func decode(_ path: [String], _ value: JSONValue?) throws -> ArchitectureError? {
        let root = try ModelDescription.source(of: "qwen3").setting(path, value)
        do throws(ArchitectureError) {
            try ModelDescription(decoding: root, named: "qwen3").check()
            return nil
        } catch { return error }
    }

    @Test func theDescriptionIsSoundToBeginWith() throws {
        #expect(try decode(["family"], .string("qwen3")) == nil)
    }

    /// Path of the slip, what is put there (null: the member goes), and the field that the error names.
    private static func attention(_ rest: String...) -> [String] { ["stacks", "decoder", "layer", "attention"] + rest }
    private static func mlp(_ rest: String...) -> [String] { ["stacks", "decoder", "layer", "mlp"] + rest }

    /// Path of the slip, what is put there (null: the member goes), and the field that the error names.
    static let slips: [(path: [String], value: JSONValue?, field: String)] = [
        (["family"], .string("qwen4"), "family"),
        (["familly"], .string("qwen3"), "description.familly"),
        (["model_types"], .array([.int(1)]), "model_types"),
        (["prefixes"], nil, "prefixes"),
        (["dimensions", "heads"], nil, "dimensions.kv_heads.null"),
        (["dimensions", "intermediate"], nil, "stacks.decoder.layer.mlp.intermediate"),
        (["dimensions", "head_dim", "default"], .string("hidden / haeds"), "dimensions.head_dim.default"),
        (["dimensions", "head_dim", "default"], .string("hidden heads"), "dimensions.head_dim.default"),
        (["dimensions", "kv_heads", "value"], .string("heads"), "dimensions.kv_heads"),
        (["dimensions", "kv_heads", "nul"], .string("heads"), "dimensions.kv_heads.nul"),
        (["dimensions", "kv_heads", "unless"], .int(2), "dimensions.kv_heads.unless"),
        (["flags", "attention_bias"], .string("no"), "flags.attention_bias"),
        (["flags", "attention_bias"], nil, "stacks.decoder.layer.attention.bias"),
        (["numbers", "epsilon"], nil, "norm.epsilon"),
        (["numbers", "epsilon", "default"], .string("hiden"), "numbers.epsilon.default"),
        (["activation", "keys"], .int(3), "activation.keys"),
        (["activation"], nil, "activation"),
        (["norm", "kind"], .string("rsm"), "norm.kind"),
        (["rotary", "all", "layout"], .string("spiral"), "rotary.all.layout"),
        (["rotary", "all", "dimensions"], .string("head_dimension"), "rotary.all.dimensions"),
        (["rotary", "all"], nil, "stacks.decoder.layer.attention.rotary"),
        (attention("query"), nil, "stacks.decoder.layer.attention"),
        (attention("key"), .int(1), "stacks.decoder.layer.attention.key"),
        (attention("output"), nil, "stacks.decoder.layer.attention.output"),
        (attention("vaule"), .string("self_attn.v_proj"), "stacks.decoder.layer.attention.vaule"),
        (attention("norm", "scope"), .string("heads"), "stacks.decoder.layer.attention.norm.scope"),
        (attention("norm", "key"), nil, "stacks.decoder.layer.attention.norm.query"),
        (attention("window"), .string("widow"), "stacks.decoder.layer.attention.window"),
        (attention("window", "value"), .string("widow"), "stacks.decoder.layer.attention.window.value"),
        (attention("window", "when"), .string("late &"), "stacks.decoder.layer.attention.window.when"),
        (attention("window", "when"), .string("early"), "stacks.decoder.layer.attention.window.when"),
        (attention("rotary"), .string("half"), "stacks.decoder.layer.attention.rotary"),
        (attention("kind"), nil, "stacks.decoder.layer.attention.kind"),
        (attention("kind"), .string("mlp"), "stacks.decoder.layer.attention.up"),
        (attention("before", "tensor"), nil, "stacks.decoder.layer.attention.before.tensor"),
        (mlp("gate", "stride"), .int(2), "stacks.decoder.layer.mlp.gate.weight"),
        (mlp("up"), nil, "stacks.decoder.layer.mlp.up"),
        (mlp("activation"), .string("gule"), "stacks.decoder.layer.mlp.activation"),
        (["stacks", "decoder", "embedding", "tokens"], nil, "stacks.decoder.embedding.tokens"),
        (["stacks"], nil, "stacks"),
        (["stacks"], .object([:]), "stacks"),
        (["stacks", "decoder", "layer"], nil, "stacks.decoder.layer"),
        (["stacks", "decoder", "layer"], .object([:]), "stacks.decoder.layer"),
        (["stacks", "decoder", "order"], .array([.string("mlp"), .string("mlp")]), "stacks.decoder.order"),
        (["language_head", "transform"], .object([:]), "language_head.transform.weight"),
        (["tied_head"], .string("yes"), "tied_head"),
        (["tensors", "0", "role"], .string("embeding"), "tensors[0].role"),
        (["tensors", "1", "shape"], nil, "tensors[1].shape"),
        (["tensors", "1", "shape", "1"], .int(48), "tensors[1].shape"),
        (["tensors", "1", "shape", "1"], .string("hiden"), "tensors[1].shape"),
        (["tensors", "1", "optional"], .string("yes"), "tensors[1].optional"),
        (["tensors", "1", "whne"], .string("attention_bias"), "tensors[1].whne"),
    ]

    @Test(arguments: slips.indices)
    func aSlipIsNamed(number: Int) throws {
        let slip = Self.slips[number]
        let expected = ArchitectureError.invalidDescription(family: "qwen3", field: slip.field)
        #expect(try decode(slip.path, slip.value) == expected)
        #expect(expected.description.contains("qwen3") && expected.description.contains(slip.field))
    }
}
