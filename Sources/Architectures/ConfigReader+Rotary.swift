import Checkpoints
import Foundations
import Glibc

extension ConfigReader {
    /// Rotary embedding as the config describes it, in the spellings of versions 4 and 5.
    ///
    /// - Parameter key: what config.json calls the count of rotated channels.
    func rotary(
        _ kind: RotaryKind, dimensions count: Int, offset: Int, key: String
    ) throws(ArchitectureError) -> Rotary {
        guard count > 0, count % 2 == 0 else {
            throw .invalidConfigValue(
                path: path, key: key,
                found: kind.fraction == nil ? "\(count)" : "such that \(count) channels of a head are rotated",
                expected: "an even number")
        }
        let settings = try rotarySettings(kind)
        if kind.fraction == nil { try refusePartial(lookup("partial_rotary_factor"), key: "partial_rotary_factor") }
        let theta = try theta(settings, kind)
        return Rotary(
            dimensions: count, offset: offset, layout: kind.layout, theta: theta,
            scaling: try scaling(settings, kind, channels: count, theta: theta),
            axes: kind.axes, restartsWhenLong: kind.restarts)
    }

    /// The base of the settings, else that of the config, else the family's; all that are there must be the same.
    private func theta(_ settings: JSONValue?, _ kind: RotaryKind) throws(ArchitectureError) -> Double {
        let outer = try agreed(kind.thetaKeys)
        let stated = try outer.map { found throws(ArchitectureError) in
            try number(found.value, found.key, in: .positive)
        }
        var inner: Double?
        if let found = settings?["rope_theta"] {
            inner = try number(found, "rope_parameters.rope_theta", in: .positive)
            if let outer { try agree((outer.key, outer.value), ("rope_parameters.rope_theta", found), path: path) }
        } else if outer == nil, let null = kind.thetaKeys.first(where: { lookup($0) != nil }) {
            throw invalid(null, .null, expected: NumberDomain.positive.expected)
        }
        let theta = inner ?? stated ?? kind.theta
        try check(kind.thetaChecks, state: .double(theta), as: "the base of the rotary embedding")
        return theta
    }

    /// m² with m = 0.1·mscale_all_dim·ln(factor) + 1 where the settings scale frequencies and have both.
    func scoreFactor(_ kind: RotaryKind) throws(ArchitectureError) -> Double {
        guard let settings = try rotarySettings(kind), let type = Self.type(of: settings), type != "default",
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
    ///
    /// Version 5 of transformers writes `rope_parameters`, version 4 `rope_scaling`, which wins where a file has both.
    private func rotarySettings(_ kind: RotaryKind) throws(ArchitectureError) -> JSONValue? {
        var found: [String: JSONValue] = [:]
        for key in ["rope_parameters", "rope_scaling"] {
            guard let value = lookup(key), !value.isNull else { continue }
            guard value.object != nil else { throw invalid(key, value, expected: "an object") }
            if key == "rope_scaling", !kind.readsScaling { continue }
            found[key] = try section(of: value, key: key, kind)
            if let value = found[key] { try check(value, key: key, kind) }
        }
        let (modern, legacy) = (found["rope_parameters"], found["rope_scaling"].flatMap(Self.unlessEmpty))
        guard let legacy else {
            return lookup("rope_parameters")?.object == nil ? kind.settings : modern
        }
        guard let modern = modern.flatMap(Self.unlessEmpty) else { return legacy }
        let names = ("rope_scaling", "rope_parameters")
        if kind.section == nil {
            let (old, new) = (completed(legacy, kind), completed(modern, kind))
            try agree((names.0, old), (names.1, new), path: path)
            return legacy
        }
        var merged = modern.object ?? [:]
        for member in legacy.object?.members ?? [] {
            try agree(
                ("\(names.0).\(member.key)", member.value),
                ("\(names.1).\(kind.section ?? "").\(member.key)", modern[member.key] ?? .null), path: path)
            merged[member.key] = member.value
        }
        return .object(merged)
    }

    private static func unlessEmpty(_ settings: JSONValue) -> JSONValue? {
        settings.object?.members.isEmpty == false ? settings : nil
    }

    /// With what stands outside of the settings, and the kind under its later name.
    private func completed(_ settings: JSONValue, _ kind: RotaryKind) -> JSONValue {
        guard var object = settings.object else { return settings }
        object["rope_type"] = object["rope_type"] ?? object["type"] ?? .string("default")
        object["type"] = nil
        object["rope_theta"] =
            object["rope_theta"] ?? kind.thetaKeys.compactMap(lookup).first ?? .double(kind.theta)
        object["partial_rotary_factor"] =
            object["partial_rotary_factor"] ?? lookup("partial_rotary_factor") ?? standards["partial_rotary_factor"]
        return .object(object)
    }

    /// The settings of these layers. Where each kind of layer has settings of its own, transformers takes no others, and version 4's
    /// only under their later names.
    private func section(
        of settings: JSONValue, key: String, _ kind: RotaryKind
    ) throws(ArchitectureError) -> JSONValue? {
        let nested = settings.object?.members.first { $0.value.object != nil }
        let flat = settings.object?.members.first { $0.value.object == nil && !$0.value.isNull }
        let isOld = key == "rope_scaling"
        if kind.section == nil || isOld, let nested {
            throw .refusedFeature(
                path: path, key: "\(key).\(nested.key)", found: nested.value.serialized(),
                reason: kind.section == nil
                    ? "this family is described with one kind of rotary embedding in all layers"
                    : "transformers reads settings for each kind of layer in rope_parameters alone")
        }
        guard let section = kind.section else { return settings }
        if isOld {
            if settings["rope_type"] == nil, let type = settings["type"], type.string != "default" {
                throw .refusedFeature(
                    path: path, key: "rope_scaling.type", found: type.serialized(),
                    reason: "transformers does not read it for this family; call it rope_type")
            }
            return settings
        }
        if let flat {
            throw .refusedFeature(
                path: path, key: "\(key).\(flat.key)", found: flat.value.serialized(),
                reason: "this family has rotary parameters for each kind of layer")
        }
        return settings[section].flatMap { $0.isNull ? nil : $0 }
    }

    private func check(_ settings: JSONValue, key: String, _ kind: RotaryKind) throws(ArchitectureError) {
        // Version 5 of transformers writes rope_type, version 4 type; both must be known where both are there.
        for type in ["rope_type", "type"].compactMap({ settings[$0] }) where !type.isNull {
            guard let name = type.string, kind.scaling.contains(name) else {
                throw .refusedFeature(
                    path: path, key: key, found: type.serialized(),
                    reason: "known kinds of rotary scaling are \(kind.scaling.joined(separator: ", "))")
            }
        }
        if let first = settings["rope_type"], let second = settings["type"], !first.isNull, !second.isNull {
            try agree(("\(key).rope_type", first), ("\(key).type", second), path: path)
        }
        // transformers takes the one outside, other programs the one inside.
        let original = "original_max_position_embeddings"
        if kind.section == nil, let inner = settings[original], let outer = lookup(original), !outer.isNull {
            try agree((original, outer), ("\(key).\(original)", inner), path: path)
        }
        if kind.section != nil, let truncate = settings["truncate"], truncate != .bool(true) {
            throw .refusedFeature(
                path: path, key: "\(key).truncate", found: truncate.serialized(),
                reason: "transformers does not read it where each kind of layer has its own settings")
        }
        if kind.fraction == nil {
            try refusePartial(settings["partial_rotary_factor"], key: "\(key).partial_rotary_factor")
        }
    }

    private func refusePartial(_ factor: JSONValue?, key: String) throws(ArchitectureError) {
        guard let factor, !factor.isNull, factor.double != 1 else { return }
        throw .refusedFeature(
            path: path, key: key, found: factor.serialized(),
            reason: "this family is described with rotary embeddings on whole heads")
    }
}
