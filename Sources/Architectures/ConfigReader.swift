import Checkpoints
import OrderedCollections

/// Reads what a description asks for out of config.json, in the spellings of transformers 4 and 5.
struct ConfigReader {
    /// No number of a real model comes near this; products of a few stay far from overflow checks' limits.
    static let largestDimension = 1 << 31

    let config: JSONValue
    let description: ModelDescription
    let path: String

    func dimensions() throws(ArchitectureError) -> OrderedDictionary<String, Int> {
        var values: OrderedDictionary<String, Int> = [:]
        for dimension in description.dimensions {
            values[dimension.name] = try value(of: dimension, known: values)
        }
        return values
    }

    private func value(
        of dimension: ModelDescription.Dimension, known: OrderedDictionary<String, Int>
    ) throws(ArchitectureError) -> Int {
        var fallback = dimension.fallback
        for key in dimension.keys {
            guard let found = config[key] else { continue }
            if found.isNull {
                fallback = dimension.nullFallback
                continue
            }
            guard let number = found.int, number > 0, number < Self.largestDimension else {
                throw invalid(key, found, expected: "a positive whole number")
            }
            return number
        }
        guard let fallback else { throw .missingConfigValue(path: path, keys: dimension.keys) }
        let names = Dictionary(uniqueKeysWithValues: known.map { ($0.key, $0.value) })
        guard let number = fallback.value(in: names), number > 0, number < Self.largestDimension else {
            let given = known.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            throw .invalidConfigValue(
                path: path, key: dimension.keys.first ?? dimension.name,
                found: "to be derived as \(fallback.text) from \(given)",
                expected: "a positive whole number")
        }
        return number
    }

    /// Whether the config says so; a member that is absent or null counts as `standard`.
    func flag(_ key: String, default standard: Bool) throws(ArchitectureError) -> Bool {
        guard let found = config[key], !found.isNull else { return standard }
        guard let value = found.bool else { throw invalid(key, found, expected: "true or false") }
        return value
    }

    func tiedHead() throws(ArchitectureError) -> Bool {
        try flag("tie_word_embeddings", default: description.tiedHeadDefault)
    }

    /// Whether a tensor of this presence must be there; nil for one that this configuration does not have.
    func isRequired(_ presence: ModelDescription.Presence) throws(ArchitectureError) -> Bool? {
        switch presence {
        case .required: return true
        case .optional: return false
        case .whenFlag(let key):
            return try flag(key, default: description.flags[key] ?? false) ? true : nil
        case .requiredBy(let endings):
            let classes = config["architectures"]?.array?.compactMap(\.string) ?? []
            let isTied = try tiedHead()
            return !isTied && classes.contains { name in endings.contains { name.hasSuffix($0) } }
        }
    }

    func activation() throws(ArchitectureError) -> Activation {
        let key = description.activationKeys.first { !(config[$0]?.isNull ?? true) }
        let found = key.flatMap { config[$0] } ?? .string(description.activationDefault)
        guard let name = found.string, let activation = Activation(configName: name) else {
            throw invalid(
                key ?? "activation", found,
                expected: "one of \(Activation.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return activation
    }

    func refuseUndescribedFeatures() throws(ArchitectureError) {
        for refusal in description.refusals {
            guard let found = config[refusal.key], !found.isNull, !refusal.accepted.contains(found) else { continue }
            throw .refusedFeature(path: path, key: refusal.key, found: found.serialized(), reason: refusal.reason)
        }
    }

    func invalid(_ key: String, _ found: JSONValue, expected: String) -> ArchitectureError {
        .invalidConfigValue(path: path, key: key, found: found.serialized(), expected: expected)
    }
}
