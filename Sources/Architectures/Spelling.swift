import Checkpoints
import Foundations

/// config.json with every key under its first name. A key that is there under two names must say the same under both: which of them
/// wins has changed between versions of transformers, and differs from program to program.
struct Spelling {
    let root: JSONValue
    /// What config.json calls a key, where it uses a second name.
    private(set) var written: [String: String] = [:]

    /// - Parameter texts: types that the language model's part of it may name for its own.
    init(
        _ config: JSONValue, modelType: String, path: String, texts: Set<String> = []
    ) throws(ArchitectureError) {
        guard let object = config.object, let entry = try ConfigTable.entry(of: modelType) else {
            root = config
            return
        }
        var spelling = Speller(path: path, texts: texts)
        root = .object(try spelling.spell(object, entry, inside: ""))
        written = spelling.written
    }
}

private struct Speller {
    let path: String
    let texts: Set<String>
    var written: [String: String] = [:]

    mutating func spell(
        _ object: JSONObject, _ entry: ConfigTable.Entry, inside prefix: String
    ) throws(ArchitectureError) -> JSONObject {
        var result = try firstNames(object, entry, inside: prefix)
        for (part, modelType) in entry.parts.sorted(by: { $0.key < $1.key }) {
            var named: ConfigTable.Entry?
            if let type = result[part]?["model_type"]?.string, texts.contains(type) {
                named = try ConfigTable.entry(of: type)
            }
            if named == nil { named = try ConfigTable.entry(of: modelType) }
            guard let inner = named else { continue }
            if let stated = result[part]?.object {
                result[part] = .object(try spell(stated, inner, inside: "\(prefix)\(part)."))
            }
            // CLIP's older files have the whole of a tower's configuration a second time; what that leaves out stands at its default.
            let second = part + "_dict"
            guard entry.keys[second] != nil, let stated = result[second]?.object else { continue }
            let whole = try spell(stated, inner, inside: "\(prefix)\(second).")
            try compare(result[part]?.object ?? [:], part, with: whole, second, inner)
            result[part] = .object(whole)
            result[second] = nil
        }
        return result
    }

    private mutating func firstNames(
        _ object: JSONObject, _ entry: ConfigTable.Entry, inside prefix: String
    ) throws(ArchitectureError) -> JSONObject {
        guard !entry.aliases.isEmpty else { return object }
        var found: [String: (name: String, value: JSONValue)] = [:]
        var members: [(String, JSONValue)] = []
        let shared = Set(entry.aliases.values)
        for member in object.members {
            let key = entry.aliases[member.key] ?? member.key
            if shared.contains(key) {
                if let earlier = found[key] {
                    try agree((prefix + earlier.name, earlier.value), (prefix + member.key, member.value), path: path)
                    continue
                }
                found[key] = (member.key, member.value)
                if key != member.key { written[prefix + key] = prefix + member.key }
            }
            members.append((key, member.value))
        }
        return JSONObject(members)
    }

    private func compare(
        _ first: JSONObject, _ part: String, with second: JSONObject, _ name: String, _ entry: ConfigTable.Entry
    ) throws(ArchitectureError) {
        for standard in entry.keys.members {
            guard let value = first[standard.key] else { continue }
            try agree(
                ("\(part).\(standard.key)", value), ("\(name).\(standard.key)", second[standard.key] ?? standard.value),
                path: path)
        }
    }
}

/// Refuses two spellings of one thing with different values.
func agree(
    _ first: (key: String, value: JSONValue), _ second: (key: String, value: JSONValue), path: String
) throws(ArchitectureError) {
    guard !first.value.means(second.value) else { return }
    throw .contradiction(
        path: path, key: first.key, found: first.value.serialized(), other: second.key,
        otherFound: second.value.serialized())
}
