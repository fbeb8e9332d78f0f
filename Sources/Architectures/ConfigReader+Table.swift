import Checkpoints
import Foundations

extension ConfigReader {
    /// Keys whose meaning does not depend on the family: which tokens pad, begin and end, what the head shares, what attention sees.
    private static let general: Set<String> = [
        "pad_token_id", "eos_token_id", "decoder_start_token_id", "tie_word_embeddings", "is_causal",
    ]

    private static let rotary: Set<String> = [
        "rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor", "max_position_embeddings",
        "original_max_position_embeddings",
    ]

    /// Keys of which transformers takes a null that is written as false, and one that is not written as true.
    private static let nullIsFalse: Set<String> = ["is_causal", "scale_decoder_outputs"]

    /// Refuses what transformers reads of config.json, the description does not, and does not stand at its default.
    func refuseUnreadKeys(_ modelType: String) throws(ArchitectureError) {
        guard let entry = try ConfigTable.entry(of: modelType) else { return }
        let whole = whole ?? config
        try refuseUnread(entry, in: whole, inside: "")
        for (part, modelType) in entry.parts.sorted(by: { $0.key < $1.key }) {
            let isOpaque = description.configKeys.contains(part)
            guard !isOpaque, part != description.text?.key, let inner = whole[part],
                let entry = try ConfigTable.entry(of: modelType)
            else { continue }
            try refuseUnread(entry, in: inner, inside: part + ".")
        }
        if let text = description.text, let entry = try ConfigTable.entry(of: text.modelTypes[0]) {
            try refuseUnread(entry, in: config, inside: place, asPart: text.key + ".")
        }
    }

    private func refuseUnread(
        _ entry: ConfigTable.Entry, in config: JSONValue, inside prefix: String, asPart part: String? = nil
    ) throws(ArchitectureError) {
        for key in Self.nullIsFalse where entry.keys[key] != nil && config[key]?.isNull == true {
            throw invalid(prefix + key, .null, expected: "true or false")
        }
        for standard in entry.keys.members where !isRead((part ?? prefix) + standard.key, standard.key) {
            guard let found = config[standard.key], !found.isNull, !found.means(standard.value) else { continue }
            if standard.key == "layer_types", Self.isFull(found) { continue }
            let rest = standard.value.isNull ? "without it" : "with \(standard.value.serialized())"
            throw .refusedFeature(
                path: path, key: written(prefix + standard.key), found: found.serialized(),
                reason: "it changes what transformers computes, and \(description.family) is described \(rest)")
        }
    }

    private func isRead(_ key: String, _ name: String) -> Bool {
        Self.general.contains(name) || description.configKeys.contains(key)
            || !description.rotaries.isEmpty
                && Self.rotary.contains { key == (description.text.map { $0.key + "." } ?? "") + $0 }
    }

    /// Every layer sees the whole sequence, which is what a family without kinds of layers does.
    private static func isFull(_ types: JSONValue) -> Bool {
        types.array?.allSatisfy { $0.string == "full_attention" } ?? false
    }

    /// What config.json calls a key.
    func written(_ key: String) -> String { spelling[key] ?? key }

    /// The first of several spellings that is there; all that are there must say the same.
    func agreed(_ keys: [String]) throws(ArchitectureError) -> (key: String, value: JSONValue)? {
        var first: (key: String, value: JSONValue)?
        for key in keys {
            guard let value = lookup(key), !value.isNull else { continue }
            let found = (key: written(key), value: value)
            if let first { try agree(first, found, path: path) } else { first = found }
        }
        return first
    }

    /// Refuses a key that states otherwise what has been read or derived from others.
    func check(_ keys: [String], state value: JSONValue, as name: String) throws(ArchitectureError) {
        for key in keys {
            guard let found = lookup(key), !found.isNull else { continue }
            try agree((written(key), found), (name, value), path: path)
        }
    }
}
