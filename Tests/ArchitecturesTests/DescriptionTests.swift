import Architectures
import Checkpoints
import TestSupport
import Testing

/// Descriptions are data; a slip in one must be found when it is decoded, not when a model is damaged by it.
@Suite struct DescriptionTests {
    @Test func everyFileIsEmbeddedAsItIs() throws {
        let folder = Fixtures.root + "/../../Sources/Architectures/Descriptions"
        let files = Files.names(in: folder)
        #expect(files == ModelDescription.embedded.map { $0.name + ".json" })
        for (name, bytes) in ModelDescription.embedded {
            #expect(try Files.read("\(folder)/\(name).json") == bytes)
        }
    }

    @Test func modelTypesAreNotClaimedTwice() throws {
        let types = try ModelDescription.library().flatMap(\.modelTypes)
        #expect(Set(types).count == types.count && types.count >= 9)
    }

    /// Sets a member of the description of qwen3, which uses nearly every field, at a path of keys and places.
    private func decode(_ path: [String], _ value: JSONValue?) throws -> ArchitectureError? {
        let bytes = try #require(ModelDescription.embedded.first { $0.name == "qwen3" }).bytes
        let root = Self.setting(try JSONDocument(parsing: bytes).root, path[...], value)
        do {
            _ = try ModelDescription(decoding: root, named: "qwen3")
            return nil
        } catch { return error }
    }

    private static func setting(_ value: JSONValue, _ path: ArraySlice<String>, _ new: JSONValue?) -> JSONValue {
        guard let key = path.first else { return new ?? .null }
        if var values = value.array, let place = Int(key) {
            values[place] = setting(values[place], path.dropFirst(), new)
            return .array(values)
        }
        var object = value.object ?? [:]
        let isLast = path.count == 1
        object[key] = isLast ? new : setting(object[key] ?? .null, path.dropFirst(), new)
        return .object(object)
    }

    @Test func theDescriptionIsSoundToBeginWith() throws {
        #expect(try decode(["family"], .string("qwen3")) == nil)
    }

    /// Path of the slip, what is put there (null: the member goes), and the field that the error names.
    static let slips: [(path: [String], value: JSONValue?, field: String)] = [
        (["family"], .string("qwen4"), "family"),
        (["familly"], .string("qwen3"), "description.familly"),
        (["model_types"], .array([.int(1)]), "model_types"),
        (["prefixes"], nil, "prefixes"),
        (["dimensions", "heads"], nil, "dimensions.kv_heads.null"),
        (["dimensions", "intermediate"], nil, "dimensions.intermediate"),
        (["dimensions", "head_dim", "default"], .string("hidden / haeds"), "dimensions.head_dim.default"),
        (["dimensions", "head_dim", "default"], .string("hidden heads"), "dimensions.head_dim.default"),
        (["dimensions", "kv_heads", "value"], .string("heads"), "dimensions.kv_heads"),
        (["dimensions", "kv_heads", "nul"], .string("heads"), "dimensions.kv_heads.nul"),
        (["flags", "attention_bias"], .string("no"), "flags.attention_bias"),
        (["flags", "attention_bias"], nil, "tensors[3].when"),
        (["activation", "keys"], nil, "activation.keys"),
        (["rotary", "layout"], .string("spiral"), "rotary.layout"),
        (["rotary", "dimensions"], .string("head_dimension"), "rotary.dimensions"),
        (["attention", "query", "tensor"], .string("layers.{layer}.q_proj"), "attention.query.tensor"),
        (["attention", "key", "tensor"], .string("layers.{layer}.self_attn.v_proj"), "attention.key.tensor"),
        (["mlp", "gate", "tensor"], .string("layers.{layer}.mlp.up_proj"), "mlp.gate.tensor"),
        (["attention", "output"], nil, "attention.output"),
        (["attention", "value", "axis"], .int(1), "attention.value.axis"),
        (["attention", "value", "output_axis"], .int(2), "attention.value.output_axis"),
        (["attention", "norm", "scope"], .string("heads"), "attention.norm.scope"),
        (["attention", "norm", "key"], .string("k_norm.weight"), "attention.norm.key"),
        (["attention", "norm", "query"], .string("layers.{layer}.self_attn.k_norm.weight"), "attention.norm.query"),
        (["mlp", "down"], nil, "mlp.down"),
        (["tied_head", "default"], nil, "tied_head.default"),
        (["tensors", "0", "role"], .string("embeding"), "tensors[0].role"),
        (["tensors", "0", "shape"], nil, "tensors[0].shape"),
        (["tensors", "0", "shape", "1"], .int(48), "tensors[0].shape"),
        (["tensors", "0", "shape", "1"], .string("hiden"), "tensors[0].shape"),
        (["tensors", "1", "presence"], .string("optonal"), "tensors[1].presence"),
        (["tensors", "1", "prefixed"], .string("false"), "tensors[1].prefixed"),
        (["tensors", "1", "whne"], .string("attention_bias"), "tensors[1].whne"),
        (["tensors", "2", "presence"], .string("optional"), "attention.query.tensor"),
    ]

    @Test(arguments: slips.indices)
    func aSlipIsNamed(number: Int) throws {
        let slip = Self.slips[number]
        let expected = ArchitectureError.invalidDescription(family: "qwen3", field: slip.field)
        #expect(try decode(slip.path, slip.value) == expected)
        #expect(expected.description.contains("qwen3") && expected.description.contains(slip.field))
    }
}
