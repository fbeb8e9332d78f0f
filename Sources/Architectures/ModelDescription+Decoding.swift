import Checkpoints

extension ModelDescription {
    /// Decodes a description; a malformed one is named with the field at fault.
    init(decoding root: JSONValue, named name: String) throws(ArchitectureError) {
        let reader = Reader(family: name)
        family = try reader.string(root["family"], "family")
        modelTypes = try reader.strings(root["model_types"], "model_types")
        prefixes = try reader.strings(root["prefixes"], "prefixes")
        var aliases: [(String, String)] = []
        for alias in root["aliases"]?.array ?? [] {
            aliases.append((try reader.string(alias["from"], "aliases"), try reader.string(alias["to"], "aliases")))
        }
        self.aliases = aliases
        var dimensions: [Dimension] = []
        for member in try reader.members(root["dimensions"], "dimensions") {
            dimensions.append(
                Dimension(
                    name: member.key, keys: member.value["keys"]?.array?.compactMap(\.string) ?? [],
                    fallback: (member.value["default"] ?? member.value["value"])?.string
                        .map(DimensionExpression.init(text:))))
        }
        self.dimensions = dimensions
        var flags: [String: Bool] = [:]
        for member in root["flags"]?.object?.members ?? [] { flags[member.key] = member.value.bool }
        self.flags = flags
        activationKeys = try reader.strings(root["activation"]?["keys"], "activation.keys")
        activationDefault = try reader.string(root["activation"]?["default"], "activation.default")
        rotary = try root["rotary"].map { value throws(ArchitectureError) in
            guard let layout = ChannelLayout(rawValue: try reader.string(value["layout"], "rotary.layout")) else {
                throw .invalidDescription(family: name, field: "rotary.layout")
            }
            return Rotary(
                layout: layout,
                dimensions: DimensionExpression(text: try reader.string(value["dimensions"], "rotary.dimensions")),
                scaling: try reader.strings(value["scaling"], "rotary.scaling"))
        }
        var refusals: [Refusal] = []
        for value in root["refusals"]?.array ?? [] {
            refusals.append(
                Refusal(
                    key: try reader.string(value["key"], "refusals.key"), accepted: value["accepted"]?.array ?? [],
                    reason: try reader.string(value["reason"], "refusals.reason")))
        }
        self.refusals = refusals
        attention = try reader.projections(root["attention"], "attention", except: ["norm"])
        norm = try root["attention"]?["norm"].map { value throws(ArchitectureError) in
            guard let scope = QueryKeyNorm.Scope(rawValue: try reader.string(value["scope"], "attention.norm.scope"))
            else { throw .invalidDescription(family: name, field: "attention.norm.scope") }
            return NormTemplate(
                query: try reader.string(value["query"], "attention.norm.query"),
                key: try reader.string(value["key"], "attention.norm.key"), scope: scope)
        }
        mlp = try reader.projections(root["mlp"], "mlp", except: [])
        tiedHeadDefault = root["tied_head"]?["default"]?.bool ?? false
        var tensors: [Tensor] = []
        for value in root["tensors"]?.array ?? [] { tensors.append(try reader.tensor(value)) }
        self.tensors = tensors
    }

    /// Reads fields and names the family and the field when one is not as it must be.
    private struct Reader {
        let family: String

        func string(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> String {
            guard let string = value?.string else { throw .invalidDescription(family: family, field: field) }
            return string
        }

        func strings(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> [String] {
            guard let values = value?.array else { throw .invalidDescription(family: family, field: field) }
            return values.compactMap(\.string)
        }

        func members(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> [JSONObject.Member] {
            guard let object = value?.object else { throw .invalidDescription(family: family, field: field) }
            return object.members
        }

        func projections(
            _ value: JSONValue?, _ field: String, except others: [String]
        ) throws(ArchitectureError) -> [String: ProjectionTemplate] {
            var templates: [String: ProjectionTemplate] = [:]
            for member in try members(value, field) where !others.contains(member.key) {
                templates[member.key] = ProjectionTemplate(
                    tensor: try string(member.value["tensor"], "\(field).\(member.key).tensor"),
                    outputAxis: member.value["output_axis"]?.int ?? 0,
                    offset: DimensionExpression(text: member.value["offset"]?.string ?? "0"))
            }
            return templates
        }

        func tensor(_ value: JSONValue) throws(ArchitectureError) -> Tensor {
            let presence: Presence =
                if let flag = value["when"]?.string {
                    .whenFlag(flag)
                } else {
                    value["presence"]?.string == "optional" ? .optional : .required
                }
            return Tensor(
                name: try string(value["name"], "tensors.name"), role: try string(value["role"], "tensors.role"),
                shape: value["shape"]?.array?.compactMap(\.string), presence: presence,
                isPrefixed: value["prefixed"]?.bool ?? true)
        }
    }
}
