import Checkpoints

extension ModelDescription {
    /// Decodes a description, strictly: an unknown, missing or mistyped field and a name that nothing declares are errors
    /// that name the family and the field.
    package init(decoding root: JSONValue, named name: String) throws(ArchitectureError) {
        let reader = DescriptionReader(family: name)
        try reader.allow(
            [
                "family", "model_types", "refused_model_types", "prefixes", "aliases", "dimensions", "flags",
                "activation",
                "rotary", "refusals", "attention", "mlp", "tied_head", "tensors",
            ], in: root, "description")
        family = try reader.string(root["family"], "family")
        guard family == name else { throw .invalidDescription(family: name, field: "family") }
        modelTypes = try reader.strings(root["model_types"], "model_types")
        refusedTypes = try reader.list(root["refused_model_types"], "refused_model_types", ["model_type", "reason"]) {
            value, field throws(ArchitectureError) in
            RefusedType(
                modelType: try reader.string(value["model_type"], field),
                reason: try reader.string(value["reason"], field))
        }
        prefixes = try reader.strings(root["prefixes"], "prefixes")
        aliases = try reader.list(root["aliases"], "aliases", ["from", "to"]) {
            value, field throws(ArchitectureError) in
            (from: try reader.string(value["from"], field), to: try reader.string(value["to"], field))
        }
        let dimensions = try reader.dimensions(root["dimensions"])
        self.dimensions = dimensions
        let known = Set(dimensions.map(\.name))
        let flags = try reader.flags(root["flags"])
        self.flags = flags
        try reader.allow(["keys", "default"], in: root["activation"], "activation")
        activationKeys = try reader.strings(root["activation"]?["keys"], "activation.keys")
        activationDefault = try reader.string(root["activation"]?["default"], "activation.default")
        rotary = try root["rotary"].map { value throws(ArchitectureError) in try reader.rotary(value, known: known) }
        refusals = try reader.list(root["refusals"], "refusals", ["key", "accepted", "reason"]) {
            value, field throws(ArchitectureError) in
            guard let accepted = value["accepted"]?.array else { throw reader.fault(field) }
            return Refusal(
                key: try reader.string(value["key"], field), accepted: accepted,
                reason: try reader.string(value["reason"], field))
        }
        let tensors = try reader.list(
            root["tensors"], "tensors", ["name", "role", "shape", "presence", "required_by", "when", "prefixed"]
        ) { value, field throws(ArchitectureError) in
            try reader.tensor(value, field, known: known, flags: Set(flags.keys))
        }
        self.tensors = tensors
        var required: [String: String] = [:]
        for tensor in tensors where tensor.presence == .required { required[tensor.name] = tensor.role }
        attention = try reader.projections(
            root["attention"], "attention", roles: ["query", "key", "value", "output"], others: ["norm"], known: known,
            tensors: required)
        norm = try root["attention"]?["norm"].map { value throws(ArchitectureError) in
            try reader.norm(value, tensors: required)
        }
        mlp = try reader.projections(
            root["mlp"], "mlp", roles: ["up", "down"], others: ["gate"], known: known, tensors: required)
        try reader.allow(["default"], in: root["tied_head"], "tied_head")
        tiedHeadDefault = try reader.bool(root["tied_head"]?["default"], "tied_head.default")
    }
}
