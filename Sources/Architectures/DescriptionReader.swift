import Checkpoints

/// Reads the fields of a description and names the family and the field when one is not as it must be.
struct DescriptionReader {
    let family: String

    func fault(_ field: String) -> ArchitectureError { .invalidDescription(family: family, field: field) }

    /// Throws when `value` is no object or has a member that is not in `names`.
    func allow(_ names: [String], in value: JSONValue?, _ field: String) throws(ArchitectureError) {
        for member in try members(value, field) where !names.contains(member.key) {
            throw fault("\(field).\(member.key)")
        }
    }

    func string(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> String {
        guard let string = value?.string else { throw fault(field) }
        return string
    }

    func bool(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> Bool {
        guard let bool = value?.bool else { throw fault(field) }
        return bool
    }

    func strings(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> [String] {
        guard let values = value?.array else { throw fault(field) }
        var strings: [String] = []
        for value in values { strings.append(try string(value, field)) }
        return strings
    }

    func members(_ value: JSONValue?, _ field: String) throws(ArchitectureError) -> [JSONObject.Member] {
        guard let object = value?.object else { throw fault(field) }
        return object.members
    }

    /// A list of objects with these members, empty where there is none.
    func list<Item>(
        _ value: JSONValue?, _ field: String, _ names: [String],
        _ item: (JSONValue, String) throws(ArchitectureError) -> Item
    ) throws(ArchitectureError) -> [Item] {
        guard let value else { return [] }
        guard let values = value.array else { throw fault(field) }
        var items: [Item] = []
        for (place, value) in values.enumerated() {
            try allow(names, in: value, "\(field)[\(place)]")
            items.append(try item(value, "\(field)[\(place)]"))
        }
        return items
    }

    /// An expression over dimensions that are declared.
    func expression(
        _ value: JSONValue?, _ field: String, known: Set<String>
    ) throws(ArchitectureError) -> DimensionExpression {
        let expression = DimensionExpression(text: try string(value, field))
        guard let names = expression.names, names.allSatisfy(known.contains) else { throw fault(field) }
        return expression
    }

    /// Each may refer to those before it.
    func dimensions(_ value: JSONValue?) throws(ArchitectureError) -> [ModelDescription.Dimension] {
        var result: [ModelDescription.Dimension] = []
        var known: Set<String> = []
        for member in try members(value, "dimensions") {
            let field = "dimensions.\(member.key)"
            try allow(["keys", "default", "null", "value"], in: member.value, field)
            func optional(_ key: String) throws(ArchitectureError) -> DimensionExpression? {
                guard let text = member.value[key] else { return nil }
                return try expression(text, "\(field).\(key)", known: known)
            }
            let keys = try member.value["keys"].map { value throws(ArchitectureError) in
                try strings(value, "\(field).keys")
            }
            let (fixed, fallback, null) = (try optional("value"), try optional("default"), try optional("null"))
            // Either read from the config or derived, not both, not neither.
            guard (keys == nil) == (fixed != nil), fixed == nil || (fallback == nil && null == nil) else {
                throw fault(field)
            }
            let other = fixed ?? fallback
            result.append(.init(name: member.key, keys: keys ?? [], fallback: other, nullFallback: null ?? other))
            known.insert(member.key)
        }
        for name in ["hidden", "layers", "heads", "kv_heads", "head_dim", "intermediate"] where !known.contains(name) {
            throw fault("dimensions.\(name)")
        }
        return result
    }

    func flags(_ value: JSONValue?) throws(ArchitectureError) -> [String: Bool] {
        var flags: [String: Bool] = [:]
        guard let value else { return flags }
        for member in try members(value, "flags") { flags[member.key] = try bool(member.value, "flags.\(member.key)") }
        return flags
    }
}
