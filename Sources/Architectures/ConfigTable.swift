import Checkpoints
import Foundations

/// What Hugging Face transformers reads of config.json, by `model_type`, as scripts/make_config_table.py finds it out.
package struct ConfigTable: Sendable {
    package struct Entry: Sendable {
        /// Second names of keys, with the first.
        package let aliases: [String: String]
        /// Keys that bear on what is computed, with what stands where config.json says nothing.
        package let keys: JSONObject
        /// Keys that hold a configuration of their own, with its model type.
        package let parts: [String: String]
    }

    package let entries: [String: Entry]

    /// Nil for a model type that transformers does not have.
    package static func entry(of modelType: String) throws(ArchitectureError) -> Entry? {
        try decoded.get().entries[modelType]
    }

    package static func all() throws(ArchitectureError) -> ConfigTable { try decoded.get() }

    private static let decoded = Result<ConfigTable, ArchitectureError> { () throws(ArchitectureError) in
        guard let types = (try? JSONDocument(parsing: embedded))?.root["types"]?.object else {
            throw .invalidDescription(family: "ConfigTable", field: "types")
        }
        var entries: [String: Entry] = [:]
        for member in types.members {
            guard let keys = member.value["keys"]?.object, let aliases = names(member.value["aliases"]),
                let parts = names(member.value["parts"] ?? .object([:]))
            else { throw .invalidDescription(family: "ConfigTable", field: member.key) }
            entries[member.key] = Entry(aliases: aliases, keys: keys, parts: parts)
        }
        return ConfigTable(entries: entries)
    }

    private static func names(_ value: JSONValue?) -> [String: String]? {
        guard let object = value?.object else { return nil }
        var names: [String: String] = [:]
        for member in object.members {
            guard let name = member.value.string else { return nil }
            names[member.key] = name
        }
        return names
    }
}

extension JSONValue {
    /// Whether two values mean the same: numbers by their value, `1` as `1.0`, members of objects in any order.
    package func means(_ other: JSONValue) -> Bool {
        switch (self, other) {
        case (.number(let a), .number(let b)): a == b || double != nil && double == other.double
        case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.means($1) }
        case (.object(let a), .object(let b)):
            a.members.count == b.members.count
                && a.members.allSatisfy { member in b[member.key].map(member.value.means) ?? false }
        default: self == other
        }
    }
}
