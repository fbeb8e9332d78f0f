import Checkpoints

extension DescriptionReader {
    func tensor(
        _ value: JSONValue, _ field: String, known: Set<String>, flags: Set<String>
    ) throws(ArchitectureError) -> ModelDescription.Tensor {
        let role = try string(value["role"], "\(field).role")
        guard ModelDescription.knownRoles.contains(role) else { throw fault("\(field).role") }
        var shape: [DimensionExpression?]?
        if value["shape"] != nil || role != "buffer" {
            shape = []
            for axis in try strings(value["shape"], "\(field).shape") {
                shape?.append(axis == "*" ? nil : try expression(.string(axis), "\(field).shape", known: known))
            }
        }
        let isPrefixed = try value["prefixed"].map { flag throws(ArchitectureError) in
            try bool(flag, "\(field).prefixed")
        }
        return ModelDescription.Tensor(
            name: try string(value["name"], "\(field).name"), role: role, shape: shape,
            presence: try presence(value, field, flags: flags), isPrefixed: isPrefixed ?? true)
    }

    private func presence(
        _ value: JSONValue, _ field: String, flags: Set<String>
    ) throws(ArchitectureError) -> ModelDescription.Presence {
        if let flag = value["when"] {
            let name = try string(flag, "\(field).when")
            guard flags.contains(name), value["presence"] == nil else { throw fault("\(field).when") }
            return .whenFlag(name)
        }
        if let endings = value["required_by"] { return .requiredBy(try strings(endings, "\(field).required_by")) }
        guard let presence = value["presence"] else { return .required }
        guard presence == .string("optional") else { throw fault("\(field).presence") }
        return .optional
    }

    func rotary(_ value: JSONValue, known: Set<String>) throws(ArchitectureError) -> ModelDescription.Rotary {
        try allow(["layout", "dimensions", "scaling"], in: value, "rotary")
        guard let layout = ChannelLayout(rawValue: try string(value["layout"], "rotary.layout")) else {
            throw fault("rotary.layout")
        }
        return ModelDescription.Rotary(
            layout: layout, dimensions: try expression(value["dimensions"], "rotary.dimensions", known: known),
            scaling: try strings(value["scaling"], "rotary.scaling"))
    }

    /// - Parameters:
    ///   - roles: The projections that must be there.
    ///   - others: Members that may be there too.
    ///   - tensors: Tensors that are declared as required, with their roles: a projection's weight must have its role,
    ///     by itself or fused with others as in `query_key_value`.
    func projections(
        _ value: JSONValue?, _ field: String, roles: [String], others: [String], known: Set<String>,
        tensors: [String: String]
    ) throws(ArchitectureError) -> [String: ModelDescription.ProjectionTemplate] {
        try allow(roles + others, in: value, field)
        var templates: [String: ModelDescription.ProjectionTemplate] = [:]
        for member in try members(value, field) where member.key != "norm" {
            let field = "\(field).\(member.key)"
            try allow(["tensor", "output_axis", "offset"], in: member.value, field)
            let tensor = try string(member.value["tensor"], "\(field).tensor")
            let role = tensors[tensor + ".weight"] ?? ""
            guard role.split(separator: "_").contains(member.key[...]) else { throw fault("\(field).tensor") }
            guard let axis = (member.value["output_axis"] ?? .int(0)).int, axis == 0 || axis == 1 else {
                throw fault("\(field).output_axis")
            }
            let offset = try expression(member.value["offset"] ?? .string("0"), "\(field).offset", known: known)
            templates[member.key] = .init(tensor: tensor, outputAxis: axis, offset: offset)
        }
        for role in roles where templates[role] == nil { throw fault("\(field).\(role)") }
        return templates
    }

    func norm(
        _ value: JSONValue, tensors: [String: String]
    ) throws(ArchitectureError) -> ModelDescription.NormTemplate {
        try allow(["query", "key", "scope"], in: value, "attention.norm")
        guard let scope = QueryKeyNorm.Scope(rawValue: try string(value["scope"], "attention.norm.scope")) else {
            throw fault("attention.norm.scope")
        }
        let query = try string(value["query"], "attention.norm.query")
        let key = try string(value["key"], "attention.norm.key")
        guard tensors[query] == "query_norm" else { throw fault("attention.norm.query") }
        guard tensors[key] == "key_norm" else { throw fault("attention.norm.key") }
        return .init(query: query, key: key, scope: scope)
    }
}
