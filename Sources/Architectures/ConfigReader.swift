import Checkpoints
import Foundations
import OrderedCollections

/// Reads what a description asks for out of config.json, in the spellings of transformers 4 and 5.
struct ConfigReader {
    /// No number of a real model comes near this; products of a few stay far from overflow checks' limits.
    static let largestDimension = 1 << 31

    /// Every key under its first name: the language model's part of config.json, where the description has it in one.
    let config: JSONValue
    let description: ModelDescription
    let path: String
    /// What config.json calls a key, where it uses a second name.
    var spelling: [String: String] = [:]
    /// What stands for keys that config.json lacks, as far as transformers has a fixed value.
    var standards: JSONObject = [:]
    /// All of config.json, where `config` is a part of it.
    var whole: JSONValue?
    /// What it says of activations that are not the family's.
    var polynomials: PolynomialActivations?

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
        if dimension.isLength { return try length(dimension) }
        let isRead = !dimension.unless.contains { lookup($0)?.isNull == false }
        if isRead, let (key, found) = try agreed(dimension.keys) {
            guard let number = found.int, number >= dimension.minimum, number < Self.largestDimension else {
                throw invalid(key, found, expected: "a positive whole number")
            }
            try check(dimension.checks, state: found, as: key)
            return number
        }
        let isNull = isRead && dimension.keys.contains { lookup($0) != nil }
        let fallback = isNull ? dimension.nullFallback : dimension.fallback
        guard let fallback = fallback ?? standard(of: dimension) else {
            throw .missingConfigValue(path: path, keys: dimension.keys)
        }
        let names = Dictionary(uniqueKeysWithValues: known.map { ($0.key, $0.value) })
        guard let number = fallback.value(in: names), number >= dimension.minimum, number < Self.largestDimension else {
            let given = known.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            throw .invalidConfigValue(
                path: path, key: dimension.keys.first ?? dimension.name,
                found: "to be derived as \(fallback.text) from \(given)",
                expected: "a positive whole number")
        }
        try check(dimension.checks, state: .int(number), as: "\(dimension.name) as \(fallback.text)")
        return number
    }

    private func length(_ dimension: ModelDescription.Dimension) throws(ArchitectureError) -> Int {
        var first: (key: String, length: Int)?
        for key in dimension.keys {
            guard let value = lookup(key), !value.isNull else { continue }
            guard let length = value.array?.count ?? value.string?.count, length >= dimension.minimum else {
                throw invalid(key, value, expected: "a list with an entry for every layer, or a letter for each")
            }
            if let first, first.length != length {
                throw .contradiction(
                    path: path, key: written(first.key), found: "for \(first.length) layers", other: written(key),
                    otherFound: "for \(length)")
            }
            first = first ?? (key, length)
        }
        guard let first else { throw .missingConfigValue(path: path, keys: dimension.keys) }
        try check(dimension.checks, state: .int(first.length), as: "the length of \(written(first.key))")
        return first.length
    }

    /// What transformers has for a number that the language model's part leaves out, as published files of such models do.
    private func standard(of dimension: ModelDescription.Dimension) -> DimensionExpression? {
        guard whole != nil, let standard = dimension.keys.lazy.compactMap({ standards[$0]?.int }).first else {
            return nil
        }
        return DimensionExpression(text: "\(standard)")
    }

    /// A config value by its key; a dotted key reaches into objects.
    func lookup(_ key: String) -> JSONValue? {
        if let found = config[key] { return found }
        var value = config
        for part in key.split(separator: ".") {
            guard let next = value[String(part)] else { return nil }
            value = next
        }
        return value
    }

    /// Whether this description is meant, where several share a model type.
    var matches: Bool {
        namesText
            && description.match.allSatisfy { key, accepted in
                accepted.contains(lookup(key) ?? standards[key] ?? .null)
            }
    }

    /// Why no description of the model type is meant.
    func unmatched() -> ArchitectureError {
        if let error = textMismatch { return error }
        let misfit = description.match.first { key, accepted in
            !accepted.contains(lookup(key) ?? standards[key] ?? .null)
        }
        guard let (key, accepted) = misfit else {
            return .invalidDescription(family: description.family, field: "match")
        }
        return invalid(
            key, lookup(key) ?? .null, expected: "one of " + accepted.map { $0.serialized() }.joined(separator: ", "))
    }

    var namesClasses: Bool { !((whole ?? config)["architectures"]?.array?.isEmpty ?? true) }

    /// Whether a class in the config's `architectures` has one of these endings.
    func className(endsWith endings: [String]) -> Bool {
        let classes = (whole ?? config)["architectures"]?.array?.compactMap(\.string) ?? []
        return classes.contains { name in endings.contains { name.hasSuffix($0) } }
    }

    /// The token whose position CLIP pools; 2 stands for the largest id, as old files have it.
    var endOfText: Int {
        (lookup("text_config.eos_token_id") ?? lookup("eos_token_id"))?.int ?? 49407
    }

    /// A token's id; nil where the config says null, or nothing and the family has none.
    func token(_ key: String, default standard: Int?) throws(ArchitectureError) -> Int? {
        guard let found = lookup(key) else { return standard }
        guard !found.isNull else { return nil }
        guard let token = found.int else { throw invalid(key, found, expected: "one token id") }
        return token
    }

    func tiedHead() throws(ArchitectureError) -> Bool {
        if whole != nil { return try tiedHeadOfParts() }
        guard let found = lookup("tie_word_embeddings"), !found.isNull else { return description.tiedHeadDefault }
        guard let value = found.bool else { throw invalid("tie_word_embeddings", found, expected: "true or false") }
        return value
    }

    func activation(keys: [String], standard: String, checks: [String] = []) throws(ArchitectureError) -> Activation {
        let found = try agreed(keys) ?? (key: keys.first ?? "activation", value: .string(standard))
        func read(_ key: String, _ value: JSONValue) throws(ArchitectureError) -> Activation {
            guard let name = value.string, let activation = Activation(configName: name) else {
                throw invalid(
                    key, value, expected: "one of \(Activation.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return activation
        }
        let activation = try read(found.key, found.value)
        for key in checks {
            guard let value = lookup(key), !value.isNull, try read(written(key), value) != activation else { continue }
            try agree((written(key), value), found, path: path)
        }
        return activation
    }

    /// - Parameter holds: whether a condition of a refusal does.
    func refuseUndescribedFeatures(
        where holds: (Condition) throws(ArchitectureError) -> Bool
    ) throws(ArchitectureError) {
        for refusal in description.refusals where try holds(refusal.condition) {
            guard let found = lookup(refusal.key), !found.isNull, !refusal.accepted.contains(found) else { continue }
            throw .refusedFeature(
                path: path, key: written(refusal.key), found: found.serialized(), reason: refusal.reason)
        }
    }

    func invalid(_ key: String, _ found: JSONValue, expected: String) -> ArchitectureError {
        .invalidConfigValue(path: path, key: written(key), found: found.serialized(), expected: expected)
    }
}
