import Checkpoints
import Glibc

extension ConfigReader {
    /// A real number as its template says; nil where the config has none or null and there is no fallback.
    func number(
        _ template: ModelDescription.Number, named name: String, dimensions: [String: Int]
    ) throws(ArchitectureError) -> Double? {
        var found: Double?
        for key in template.keys {
            guard let value = lookup(key) else { continue }
            if value.isNull {
                if template.isNullable { return nil }
                continue
            }
            // A boolean where a number may stand (tie of scale_embedding): true is taken as the fallback.
            if let flag = value.bool {
                if !flag { return nil }
                continue
            }
            guard let number = value.double, number.isFinite else { throw invalid(key, value, expected: "a number") }
            found = number
            break
        }
        if found == nil {
            found = template.literal ?? template.fallback?.value(in: dimensions).map(Double.init)
        }
        guard let found else { return nil }
        let number = template.power == 1 ? found : pow(found, template.power)
        guard number.isFinite else {
            throw .invalidConfigValue(
                path: path, key: template.keys.first ?? name, found: "\(found)",
                expected: "a number whose power \(template.power) is finite")
        }
        return number
    }

    /// Whether a flag of the description holds, for a layer where it depends on one.
    func flag(
        _ name: String, layer: Int?, dimensions: [String: Int], claims: Claims
    ) throws(ArchitectureError) -> Bool {
        if name == "first" { return layer == 0 }
        guard let flag = description.flags[name] else {
            throw .invalidDescription(family: description.family, field: "flags.\(name)")
        }
        let found = lookup(flag.key).flatMap { $0.isNull ? nil : $0 }
        for source in flag.sources {
            switch source {
            case .bool(let standard):
                guard let found else { return standard }
                guard let value = found.bool else { throw invalid(flag.key, found, expected: "true or false") }
                return value
            case .oneOf(let accepted, let standard): return found.map { accepted.contains($0) } ?? standard
            case .present: return found != nil
            case .differ(let first, let second): return first.value(in: dimensions) != second.value(in: dimensions)
            case .tensor(let tensor): return claims.contains(tensor)
            case .listed(let accepted):
                // An empty list counts as none (no_rope_layers of Llama 4).
                guard let found, found.array?.isEmpty != true else { continue }
                guard let list = found.array, let layer, layer < list.count else {
                    throw invalid(flag.key, found, expected: "a list with an entry for every layer")
                }
                return accepted.contains(list[layer])
            case .index:
                guard let found else { continue }
                guard let list = found.array else { throw invalid(flag.key, found, expected: "a list of layers") }
                return list.contains { $0.int == layer }
            case .every(let period, let remainder):
                guard let period = period.value(in: dimensions), period > 0, let layer else { return false }
                return layer % period == (remainder < 0 ? period + remainder : remainder % period)
            case .from(let start):
                guard let start = start.value(in: dimensions), let layer else { return false }
                return layer >= start
            }
        }
        return false
    }

    /// Rotary embedding as the config describes it, in the spellings of versions 4 and 5.
    func rotary(
        _ template: RotaryTemplate, dimensions count: Int, offset: Int
    ) throws(ArchitectureError) -> Rotary {
        guard count > 0, count % 2 == 0 else {
            throw .invalidConfigValue(path: path, key: "head_dim", found: "\(count)", expected: "an even number")
        }
        let settings = try rotarySettings(template)
        if template.fraction == nil { try refusePartial(lookup("partial_rotary_factor"), key: "partial_rotary_factor") }
        var theta = settings?["rope_theta"]?.double
        for key in template.thetaKeys where theta == nil { theta = lookup(key)?.double }
        let base = theta ?? template.theta
        guard base.isFinite, base > 0 else {
            throw .invalidConfigValue(path: path, key: "rope_theta", found: "\(base)", expected: "a positive number")
        }
        return Rotary(
            dimensions: count, offset: offset, layout: template.layout, theta: base,
            scaling: try scaling(settings, pairs: count / 2))
    }

    /// m² with m = 0.1·mscale_all_dim·ln(factor) + 1 where the settings scale frequencies and have both.
    func scoreFactor(_ template: RotaryTemplate) throws(ArchitectureError) -> Double {
        guard let settings = try rotarySettings(template),
            let type = (settings["rope_type"] ?? settings["type"])?.string, type != "default",
            let scale = settings["mscale_all_dim"]?.double, scale != 0
        else { return 1 }
        guard let factor = settings["factor"]?.double, factor.isFinite, factor > 0 else {
            throw .missingConfigValue(path: path, keys: ["rope_parameters.factor"])
        }
        return factor <= 1 ? 1 : pow(0.1 * scale * log(factor) + 1, 2)
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

    private func scaling(_ settings: JSONValue?, pairs: Int) throws(ArchitectureError) -> RotaryScaling {
        guard let settings, let type = (settings["rope_type"] ?? settings["type"])?.string else { return .none }
        func optional(_ key: String) -> Double? { settings[key]?.double }
        func required(_ key: String) throws(ArchitectureError) -> Double {
            guard let value = optional(key), value.isFinite, value > 0 else {
                throw .missingConfigValue(path: path, keys: ["rope_parameters.\(key)"])
            }
            return value
        }
        func positions(_ keys: [String]) throws(ArchitectureError) -> Double {
            for key in keys {
                if let value = settings[key]?.double ?? lookup(key)?.double, value > 0 { return value }
            }
            throw .missingConfigValue(path: path, keys: keys)
        }
        let limit = "max_position_embeddings"
        func stretch(_ trained: Double) throws(ArchitectureError) -> Double {
            if let factor = optional("factor") { return factor }
            return try positions([limit]) / trained
        }
        let original = "original_max_position_embeddings"
        switch type {
        case "linear": return .linear(factor: try required("factor"))
        case "dynamic": return .dynamic(factor: try required("factor"), trained: try positions([limit]))
        case "llama3":
            return .llama3(
                factor: try required("factor"), low: try required("low_freq_factor"),
                high: try required("high_freq_factor"), trained: try positions([original, limit]))
        case "yarn":
            let trained = try positions([original, limit])
            let factor = try stretch(trained)
            func magnitude(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
            let attention: Double
            if let given = optional("attention_factor") {
                attention = given
            } else if let scale = optional("mscale"), let all = optional("mscale_all_dim"), scale != 0, all != 0 {
                attention = magnitude(scale) / magnitude(all)
            } else {
                attention = magnitude(1)
            }
            return .yarn(
                factor: factor, trained: trained, fast: optional("beta_fast") ?? 32, slow: optional("beta_slow") ?? 1,
                attention: attention, truncates: settings["truncate"]?.bool ?? true)
        case "longrope", "su":
            let trained = try positions([original, limit])
            let factor = try stretch(trained)
            func list(_ key: String) throws(ArchitectureError) -> [Double] {
                let values = settings[key]?.array?.compactMap(\.double) ?? []
                guard values.count == pairs else {
                    throw .invalidConfigValue(
                        path: path, key: "rope_parameters.\(key)", found: "a list of \(values.count)",
                        expected: "\(pairs) numbers")
                }
                return values
            }
            let attention =
                optional("attention_factor") ?? (factor <= 1 ? 1 : (1 + log(factor) / log(trained)).squareRoot())
            return .longRope(
                short: try list("short_factor"), long: try list("long_factor"), trained: trained, attention: attention)
        default: return .none
        }
    }
}
