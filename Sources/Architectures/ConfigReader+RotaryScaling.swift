import Checkpoints
import Foundations
import Glibc

/// How the frequencies of a rotary embedding are stretched.
extension ConfigReader {
    static func type(of settings: JSONValue) -> String? {
        settings["rope_type"]?.string ?? settings["type"]?.string
    }

    /// A number of the settings; nil where it is absent or null.
    func setting(
        _ settings: JSONValue?, _ key: String, in domain: NumberDomain = .positive
    ) throws(ArchitectureError) -> Double? {
        guard let value = settings?[key], !value.isNull else { return nil }
        return try number(value, "rope_parameters.\(key)", in: domain)
    }

    func required(_ settings: JSONValue, _ key: String) throws(ArchitectureError) -> Double {
        guard let value = try setting(settings, key) else {
            throw .missingConfigValue(path: path, keys: ["rope_parameters.\(key)"])
        }
        return value
    }

    /// A number of positions that stands outside of the settings; nil where it is absent or null.
    private func positions(_ key: String) throws(ArchitectureError) -> Double? {
        guard let value = lookup(key), !value.isNull else { return nil }
        return try number(value, key, in: .positive)
    }

    private func maximumPositions() throws(ArchitectureError) -> Double {
        let key = "max_position_embeddings"
        guard let maximum = try positions(key) else { throw .missingConfigValue(path: path, keys: [key]) }
        return maximum
    }

    /// How many positions frequencies were trained for. What stands beside settings for all layers comes before what stands in them;
    /// settings for one kind of layer have their own.
    private func trainedPositions(
        _ settings: JSONValue, _ kind: RotaryKind
    ) throws(ArchitectureError) -> Double {
        let key = "original_max_position_embeddings"
        if kind.section == nil, let trained = try positions(key) ?? kind.trained { return trained }
        if let trained = try setting(settings, key) { return trained }
        return try maximumPositions()
    }

    func scaling(
        _ settings: JSONValue?, _ kind: RotaryKind, channels: Int, theta: Double
    ) throws(ArchitectureError) -> RotaryScaling {
        guard let settings, let type = Self.type(of: settings) else { return .none }
        switch type {
        case "linear": return .linear(factor: try required(settings, "factor"))
        case "dynamic":
            guard channels > 2 else {
                throw .refusedFeature(
                    path: path, key: "rope_parameters.rope_type",
                    found: "\"dynamic\" with \(channels) rotated channels",
                    reason: "its base is stretched by a power d / (d - 2) of d channels")
            }
            return .dynamic(factor: try required(settings, "factor"), trained: try maximumPositions())
        case "llama3":
            let low = try required(settings, "low_freq_factor")
            let high = try required(settings, "high_freq_factor")
            guard low < high else {
                throw .invalidConfigValue(
                    path: path, key: "rope_parameters.high_freq_factor", found: "\(high)",
                    expected: "more than low_freq_factor, which is \(low)")
            }
            return .llama3(
                factor: try required(settings, "factor"), low: low, high: high,
                trained: try trainedPositions(settings, kind))
        case "yarn": return try yarn(settings, trained: try trainedPositions(settings, kind), theta: theta)
        case "longrope", "su":
            return try longRope(settings, trained: try trainedPositions(settings, kind), pairs: channels / 2)
        default: return .none
        }
    }

    private func stretch(_ settings: JSONValue, _ trained: Double) throws(ArchitectureError) -> Double {
        if let factor = try setting(settings, "factor") { return factor }
        return try maximumPositions() / trained
    }

    private func yarn(
        _ settings: JSONValue, trained: Double, theta: Double
    ) throws(ArchitectureError) -> RotaryScaling {
        guard theta > 1 else {
            throw .invalidConfigValue(
                path: path, key: "rope_theta", found: "\(theta)", expected: "more than 1 with rope_type yarn")
        }
        let factor = try stretch(settings, trained)
        func magnitude(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
        let attention: Double
        if let given = try setting(settings, "attention_factor") {
            attention = given
        } else if let scale = try setting(settings, "mscale", in: .any),
            let all = try setting(settings, "mscale_all_dim", in: .any), scale != 0, all != 0
        {
            attention = magnitude(scale) / magnitude(all)
        } else {
            attention = magnitude(1)
        }
        var truncates = true
        if let value = settings["truncate"] {
            guard let flag = value.bool else {
                throw invalid("rope_parameters.truncate", value, expected: "true or false")
            }
            truncates = flag
        }
        return .yarn(
            factor: factor, trained: trained, fast: try setting(settings, "beta_fast") ?? 32,
            slow: try setting(settings, "beta_slow") ?? 1, attention: try checked(attention, "mscale"),
            truncates: truncates)
    }

    private func longRope(
        _ settings: JSONValue, trained: Double, pairs: Int
    ) throws(ArchitectureError) -> RotaryScaling {
        func list(_ key: String) throws(ArchitectureError) -> [Double] {
            let values = settings[key]?.array?.compactMap(\.double).filter(NumberDomain.positive.contains) ?? []
            guard values.count == pairs, settings[key]?.array?.count == pairs else {
                throw .invalidConfigValue(
                    path: path, key: "rope_parameters.\(key)",
                    found: settings[key]?.array.map { "a list of \($0.count)" } ?? "no list",
                    expected: "\(pairs) positive numbers")
            }
            return values
        }
        let factor = try stretch(settings, trained)
        let attention =
            try setting(settings, "attention_factor")
            ?? (factor <= 1 ? 1 : (1 + log(factor) / log(trained)).squareRoot())
        return .longRope(
            short: try list("short_factor"), long: try list("long_factor"), trained: trained,
            attention: try checked(attention, "original_max_position_embeddings"))
    }

    /// What cosines and sines are multiplied by.
    private func checked(_ attention: Double, _ key: String) throws(ArchitectureError) -> Double {
        guard NumberDomain.positive.contains(attention) else {
            throw .invalidConfigValue(
                path: path, key: "rope_parameters.\(key)", found: "such that cosines are multiplied by \(attention)",
                expected: "a positive factor")
        }
        return attention
    }
}
