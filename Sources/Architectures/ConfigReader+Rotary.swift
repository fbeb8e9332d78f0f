import Checkpoints

extension ConfigReader {
    /// Scaling variants act on frequencies and leave the sites as they are, but an unknown one may not.
    func rotary(_ dimensions: [String: Int]) throws(ArchitectureError) -> Rotary? {
        guard let template = description.rotary else { return nil }
        guard let count = template.dimensions.value(in: dimensions) else {
            throw .invalidDescription(family: description.family, field: "rotary.dimensions")
        }
        for key in ["rope_parameters", "rope_scaling"] {
            guard let settings = config[key], !settings.isNull else { continue }
            try check(settings, key: key, scaling: template.scaling)
        }
        try refusePartial(config["partial_rotary_factor"], key: "partial_rotary_factor")
        guard count % 2 == 0 else {
            throw .invalidConfigValue(path: path, key: "head_dim", found: "\(count)", expected: "an even number")
        }
        return Rotary(dimensions: count, layout: template.layout)
    }

    private func check(_ settings: JSONValue, key: String, scaling: [String]) throws(ArchitectureError) {
        guard let members = settings.object?.members else { throw invalid(key, settings, expected: "an object") }
        if let nested = members.first(where: { $0.value.object != nil }) {
            throw .refusedFeature(
                path: path, key: "\(key).\(nested.key)", found: nested.value.serialized(),
                reason: "this family is described with one kind of rotary embedding in all layers")
        }
        // Version 5 of transformers writes rope_type, version 4 type; both must be known where both are there.
        for type in ["rope_type", "type"].compactMap({ settings[$0] }) where !type.isNull {
            guard let name = type.string, scaling.contains(name) else {
                throw .refusedFeature(
                    path: path, key: key, found: type.serialized(),
                    reason: "known kinds of rotary scaling are \(scaling.joined(separator: ", "))")
            }
        }
        try refusePartial(settings["partial_rotary_factor"], key: "\(key).partial_rotary_factor")
    }

    private func refusePartial(_ factor: JSONValue?, key: String) throws(ArchitectureError) {
        guard let factor, !factor.isNull, factor.double != 1 else { return }
        throw .refusedFeature(
            path: path, key: key, found: factor.serialized(),
            reason: "this family is described with rotary embeddings on whole heads")
    }
}
