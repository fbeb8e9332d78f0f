import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// The descriptions against what transformers reads of config.json and takes where it says nothing.
@Suite struct ConfigTableTests {
    /// Keys that this version of transformers does not read: earlier ones or other programs do, and what they say is refused or must
    /// agree with the rest.
    private static let others: Set<String> = [
        "position_embedding_type", "net_structure_type", "add_cross_attention", "is_decoder", "is_encoder_decoder",
        "normalize_before", "add_final_layer_norm", "normalize_embedding", "static_position_embeddings",
        "architectures",
        "scoring_func", "topk_method", "moe_layer_freq", "rope_theta", "partial_rotary_factor", "rope_parameters",
        "tie_word_embeddings", "num_key_value_heads", "hidden_activation", "scale_attn_by_inverse_layer_idx",
        // Read in layers of a kind that no recorded model has, and by no expert of GPT-OSS.
        "intermediate_size", "hidden_act",
        // Read by no class of the towers, or of layers that are copied.
        "is_causal", "num_nextn_predict_layers",
        // Read by the code that these models were published with.
        "norm_topk_prob", "use_routing_bias", "qk_norm_type", "shared_intermediate_size",
        // Read by the code that EuroBERT's and Nomic's files name in the place of transformers'.
        "clf_pooling", "n_embd", "n_layer", "n_head", "n_inner", "layer_norm_epsilon", "activation_function", "prenorm",
        "parallel_block", "use_rms_norm", "causal", "rotary_emb_base", "rotary_emb_fraction", "rotary_emb_interleaved",
        "rotary_emb_scale_base", "rotary_scaling_factor",
        "moe_gate",
    ]

    struct Case: CustomTestStringConvertible, Sendable {
        let description: ModelDescription
        let modelType: String
        var testDescription: String { "\(description.family) as \(modelType)" }
    }

    static let cases: [Case] =
        (try? ModelDescription.library().flatMap { family in
            family.modelTypes.map { Case(description: family, modelType: $0) }
        }) ?? []

    private func entry(_ modelType: String) throws -> ConfigTable.Entry {
        try #require(try ConfigTable.entry(of: modelType), "\(modelType) is not in the table: run make_config_table.py")
    }

    /// The entry that a dotted key reaches into, and the key there; rotary settings are members of what is one key.
    private func place(_ key: String, _ entry: ConfigTable.Entry) throws -> (ConfigTable.Entry, String) {
        let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
        if parts.count == 2, let inner = entry.parts[parts[0]] { return (try self.entry(inner), parts[1]) }
        return (entry, parts[0])
    }

    /// The entry of what a description is about: the language model, where config.json has that in a part.
    private func entry(_ example: Case) throws -> ConfigTable.Entry {
        try entry(example.description.text?.modelTypes.first ?? example.modelType)
    }

    @Test func everyModelTypeIsThere() throws {
        #expect(Self.cases.count > 50)
        for example in Self.cases { _ = try entry(example.modelType) }
    }

    @Test(arguments: cases)
    func keysAreFirstNamesThatTransformersReads(_ example: Case) throws {
        for key in example.description.configKeys {
            var (entry, name) = try place(key, try entry(example.modelType))
            if let part = example.description.text?.key, key.hasPrefix(part + ".") {
                (entry, name) = try place(String(key.dropFirst(part.count + 1)), try self.entry(example))
            }
            #expect(entry.aliases[name] == nil, "\(key) is a second name")
            #expect(
                entry.keys[name] != nil || entry.parts[name] != nil || Self.others.contains(name), "\(key)")
        }
    }

    @Test(arguments: cases)
    func defaultsOfNumbersAreThoseOfTransformers(_ example: Case) throws {
        let entry = try entry(example)
        func expect(_ keys: [String], _ found: JSONValue?) throws {
            for key in keys where !key.hasPrefix("rope_") {
                let (entry, name) = try place(key, entry)
                // Nothing there is derived, which a description says by an expression, or read from what follows.
                guard let standard = entry.keys[name], let found, !standard.isNull else { continue }
                #expect(found.means(standard), "\(key)")
            }
        }
        for dimension in example.description.dimensions where !dimension.keys.isEmpty {
            guard let fallback = dimension.fallback, !dimension.keys.contains(where: Self.others.contains) else {
                continue
            }
            let standard = try dimension.keys.compactMap { key in
                let (entry, name) = try place(key, entry)
                return entry.keys[name]
            }.first
            if let number = Int(fallback.text) {
                #expect(standard?.int == number, "\(dimension.name): \(number)")
            } else if let standard, !standard.isNull {
                Issue.record("\(dimension.name) is \(fallback.text), transformers has \(standard)")
            }
        }
        for number in example.description.numbers.values {
            try expect(number.keys, number.literal.map(JSONValue.double))
        }
        for rotary in example.description.rotaries.values {
            if let standard = entry.keys["rope_theta"], !standard.isNull, rotary.thetaKeys.contains("rope_theta") {
                #expect(standard.double == rotary.theta)
            }
        }
    }

    @Test(arguments: cases)
    func defaultsOfFlagsAndNamesAreThoseOfTransformers(_ example: Case) throws {
        let (entry, family) = (try entry(example), example.description)
        for (name, flag) in family.flags {
            guard case .bool(let standard)? = flag.sources.first, let known = entry.keys[flag.key] else { continue }
            #expect(known.bool ?? standard == standard, "\(name)")
        }
        for key in family.activationKeys {
            let (entry, name) = try place(key, entry)
            #expect(entry.keys[name]?.string ?? family.activationDefault == family.activationDefault, "\(key)")
        }
        let standard = try self.entry(example.modelType).keys["tie_word_embeddings"]?.bool
        #expect(standard ?? family.tiedHeadDefault == family.tiedHeadDefault)
        if family.readsLastToken, let padding = entry.keys["pad_token_id"] {
            #expect(padding.int == family.specialTokens.padding)
        }
    }
}
