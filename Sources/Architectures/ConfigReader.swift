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
        for key in dimension.keys {
            guard let found = config[key], !found.isNull else { continue }
            guard let number = found.int, number > 0, number < Self.largestDimension else {
                throw .invalidConfigValue(
                    path: path, key: key, found: found.serialized(), expected: "a positive whole number")
            }
            return number
        }
        guard let fallback = dimension.fallback else {
            throw .missingConfigValue(path: path, keys: dimension.keys)
        }
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

    func flag(_ key: String) throws(ArchitectureError) -> Bool {
        guard let found = config[key], !found.isNull else { return description.flags[key] ?? false }
        guard let value = found.bool else {
            throw .invalidConfigValue(path: path, key: key, found: found.serialized(), expected: "true or false")
        }
        return value
    }

    func activation() throws(ArchitectureError) -> Activation {
        let key = description.activationKeys.first { config[$0]?.string != nil }
        let name = key.flatMap { config[$0]?.string } ?? description.activationDefault
        guard let activation = Activation(configName: name) else {
            throw .invalidConfigValue(
                path: path, key: key ?? "activation", found: "\"\(name)\"",
                expected: "one of \(Activation.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return activation
    }

    func tiedHead() -> Bool { config["tie_word_embeddings"]?.bool ?? description.tiedHeadDefault }

    func refuseUndescribedFeatures() throws(ArchitectureError) {
        for refusal in description.refusals {
            guard let found = config[refusal.key], !found.isNull, !refusal.accepted.contains(found) else { continue }
            throw .refusedFeature(path: path, key: refusal.key, found: found.serialized(), reason: refusal.reason)
        }
    }

    /// Scaling variants act on frequencies and leave the sites as they are, but an unknown one may not.
    func rotary(_ dimensions: [String: Int]) throws(ArchitectureError) -> Rotary? {
        guard let template = description.rotary else { return nil }
        guard let count = template.dimensions.value(in: dimensions) else {
            throw .invalidDescription(family: description.family, field: "rotary.dimensions")
        }
        let settings = ["rope_parameters", "rope_scaling"].compactMap { key in config[key].map { (key, $0) } }
        for (key, value) in settings where !value.isNull {
            let type = value["rope_type"] ?? value["type"] ?? .string("default")
            guard let name = type.string, template.scaling.contains(name) else {
                throw .refusedFeature(
                    path: path, key: key, found: type.serialized(),
                    reason: "known kinds of rotary scaling are \(template.scaling.joined(separator: ", "))")
            }
            try refusePartial(value["partial_rotary_factor"], key: "\(key).partial_rotary_factor")
        }
        try refusePartial(config["partial_rotary_factor"], key: "partial_rotary_factor")
        guard count % 2 == 0 else {
            throw .invalidConfigValue(path: path, key: "head_dim", found: "\(count)", expected: "an even number")
        }
        return Rotary(dimensions: count, layout: template.layout)
    }

    private func refusePartial(_ factor: JSONValue?, key: String) throws(ArchitectureError) {
        guard let factor, !factor.isNull, factor.double != 1 else { return }
        throw .refusedFeature(
            path: path, key: key, found: factor.serialized(),
            reason: "this family is described with rotary embeddings on whole heads")
    }
}
