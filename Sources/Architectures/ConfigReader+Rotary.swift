import Checkpoints
import Glibc

extension ConfigReader {
    /// Rotary embedding as the config describes it, in the spellings of versions 4 and 5.
    ///
    /// - Parameter key: what config.json calls the count of rotated channels.
    func rotary(
        _ template: RotaryTemplate, dimensions count: Int, offset: Int, key: String
    ) throws(ArchitectureError) -> Rotary {
        guard count > 0, count % 2 == 0 else {
            throw .invalidConfigValue(
                path: path, key: key,
                found: template.fraction == nil ? "\(count)" : "such that \(count) channels of a head are rotated",
                expected: "an even number")
        }
        let settings = try rotarySettings(template)
        if template.fraction == nil { try refusePartial(lookup("partial_rotary_factor"), key: "partial_rotary_factor") }
        var theta = try setting(settings, "rope_theta")
        for key in template.thetaKeys where theta == nil {
            guard let value = lookup(key), !value.isNull else { continue }
            theta = try number(value, key, in: .positive)
        }
        let base = theta ?? template.theta
        return Rotary(
            dimensions: count, offset: offset, layout: template.layout, theta: base,
            scaling: try scaling(settings, template, channels: count, theta: base),
            restartsWhenLong: template.restarts)
    }

    /// m² with m = 0.1·mscale_all_dim·ln(factor) + 1 where the settings scale frequencies and have both.
    func scoreFactor(_ template: RotaryTemplate) throws(ArchitectureError) -> Double {
        guard let settings = try rotarySettings(template), let type = Self.type(of: settings), type != "default",
            let scale = try setting(settings, "mscale_all_dim", in: .any), scale != 0
        else { return 1 }
        let factor = try required(settings, "factor")
        let result = factor <= 1 ? 1 : pow(0.1 * scale * log(factor) + 1, 2)
        guard Float(result).isFinite else {
            throw .invalidConfigValue(
                path: path, key: "rope_parameters.mscale_all_dim", found: "\(scale)", expected: "a scale of scores")
        }
        return result
    }

    /// What the config says of these layers' rotary embedding, else what the description has in its place.
    private func rotarySettings(_ template: RotaryTemplate) throws(ArchitectureError) -> JSONValue? {
        var settings: JSONValue?
        var isThere = false
        for key in ["rope_parameters", "rope_scaling"] {
            guard let found = lookup(key), !found.isNull else { continue }
            isThere = true
            guard found.object != nil else { throw invalid(key, found, expected: "an object") }
            let inner = try section(of: found, key: key, template)
            if key == "rope_parameters" || template.readsScaling { settings = settings ?? inner }
            guard let inner else { continue }
            try check(inner, key: key, template)
        }
        return isThere ? settings : template.settings
    }

    private func section(
        of settings: JSONValue, key: String, _ template: RotaryTemplate
    ) throws(ArchitectureError) -> JSONValue? {
        guard let nested = settings.object?.members.first(where: { $0.value.object != nil }) else { return settings }
        guard let section = template.section else {
            throw .refusedFeature(
                path: path, key: "\(key).\(nested.key)", found: nested.value.serialized(),
                reason: "this family is described with one kind of rotary embedding in all layers")
        }
        return settings[section].flatMap { $0.isNull ? nil : $0 }
    }

    private func check(_ settings: JSONValue, key: String, _ template: RotaryTemplate) throws(ArchitectureError) {
        // Version 5 of transformers writes rope_type, version 4 type; both must be known where both are there.
        for type in ["rope_type", "type"].compactMap({ settings[$0] }) where !type.isNull {
            guard let name = type.string, template.scaling.contains(name) else {
                throw .refusedFeature(
                    path: path, key: key, found: type.serialized(),
                    reason: "known kinds of rotary scaling are \(template.scaling.joined(separator: ", "))")
            }
        }
        if template.fraction == nil {
            try refusePartial(settings["partial_rotary_factor"], key: "\(key).partial_rotary_factor")
        }
    }

    private func refusePartial(_ factor: JSONValue?, key: String) throws(ArchitectureError) {
        guard let factor, !factor.isNull, factor.double != 1 else { return }
        throw .refusedFeature(
            path: path, key: key, found: factor.serialized(),
            reason: "this family is described with rotary embeddings on whole heads")
    }

    // MARK: Scaling

    private static func type(of settings: JSONValue) -> String? {
        settings["rope_type"]?.string ?? settings["type"]?.string
    }

    /// A number of the settings; nil where it is absent or null.
    private func setting(
        _ settings: JSONValue?, _ key: String, in domain: NumberDomain = .positive
    ) throws(ArchitectureError) -> Double? {
        guard let value = settings?[key], !value.isNull else { return nil }
        return try number(value, "rope_parameters.\(key)", in: domain)
    }

    private func required(_ settings: JSONValue, _ key: String) throws(ArchitectureError) -> Double {
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
        _ settings: JSONValue, _ template: RotaryTemplate
    ) throws(ArchitectureError) -> Double {
        let key = "original_max_position_embeddings"
        if template.section == nil, let trained = try positions(key) ?? template.trained { return trained }
        if let trained = try setting(settings, key) { return trained }
        return try maximumPositions()
    }

    private func scaling(
        _ settings: JSONValue?, _ template: RotaryTemplate, channels: Int, theta: Double
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
                trained: try trainedPositions(settings, template))
        case "yarn": return try yarn(settings, trained: try trainedPositions(settings, template), theta: theta)
        case "longrope", "su":
            return try longRope(settings, trained: try trainedPositions(settings, template), pairs: channels / 2)
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
        if let value = settings["truncate"], !value.isNull {
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
