import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// Every description is sound in all of its branches, whatever model takes them: a key that nobody knows and a value of the wrong type
/// are found wherever they stand.
@Suite struct StrictDescriptionTests {
    private static let families = ModelDescription.embedded.keys.sorted()

    /// Lists of whatever config.json may say.
    private static let free: Set<String> = ["accepted", "refused", "in", "listed", "repeated"]

    /// Paths of all members that a family states itself, but for such as take something away.
    private static func paths(in value: JSONValue, below path: [String] = []) -> [[String]] {
        guard path.last != "settings" else { return [] }
        let members =
            value.object?.members.map { ($0.key, $0.value) }
            ?? value.array?.enumerated().map { ("\($0.offset)", $0.element) } ?? []
        return members.filter { !$0.1.isNull && !free.contains($0.0) && $0.0 != "extends" }.flatMap { key, value in
            [path + [key]] + paths(in: value, below: path + [key])
        }
    }

    private static func value(at path: [String], in root: JSONValue) -> JSONValue? {
        path.reduce(root) { value, key in value?[key] ?? Int(key).flatMap { value?.array?[$0] } }
    }

    private func own(_ family: String) throws -> JSONValue {
        try JSONDocument(parsing: try #require(ModelDescription.embedded[family])).root
    }

    private func fault(_ family: String, _ root: JSONValue) throws -> String? {
        do throws(ArchitectureError) {
            try ModelDescription(decoding: root, named: family).check()
            return nil
        } catch {
            guard case .invalidDescription(family, let field) = error else { throw error }
            return field
        }
    }

    @Test(arguments: families)
    func everyBranchIsSound(family: String) throws {
        try ModelDescription(decoding: try ModelDescription.source(of: family), named: family).check()
    }

    @Test(arguments: families)
    func aStrayKeyIsNamedWhereverItStands(family: String) throws {
        let (own, root) = (try own(family), try ModelDescription.source(of: family))
        for path in [[]] + Self.paths(in: own) {
            guard Self.value(at: path, in: own)?.object != nil, path.last != "settings" else { continue }
            let found = try fault(family, root.setting(path + ["stray"], .int(1)))
            // The order of a stack's blocks names them all.
            let isNamed = found?.hasSuffix("stray") == true || path.last == "layer" && found?.hasSuffix("order") == true
            #expect(isNamed, "\(path.joined(separator: ".")): \(found ?? "nothing")")
        }
    }

    @Test(arguments: families)
    func aValueOfTheWrongTypeIsFoundWhereverItStands(family: String) throws {
        let (own, root) = (try own(family), try ModelDescription.source(of: family))
        for path in Self.paths(in: own) {
            #expect(
                try fault(family, root.setting(path, .array([.array([])]))) != nil, "\(path.joined(separator: "."))")
        }
    }
}

extension JSONValue {
    /// With a member at a path of keys and places; nil takes it away.
    func setting(_ path: [String], _ new: JSONValue?) -> JSONValue {
        guard let key = path.first else { return new ?? .null }
        let rest = Array(path.dropFirst())
        if var values = array, let place = Int(key), values.indices.contains(place) {
            values[place] = values[place].setting(rest, new)
            return .array(values)
        }
        var object = object ?? [:]
        object[key] = rest.isEmpty ? new : (object[key] ?? .null).setting(rest, new)
        return .object(object)
    }
}
