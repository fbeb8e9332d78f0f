import Checkpoints
import Foundations

extension ModelDescription {
    /// All families, by name; decoded once. A new family is a JSON file in Descriptions.
    package static func library() throws(ArchitectureError) -> [ModelDescription] { try decoded.get() }

    /// A family's JSON with everything that it inherits filled in.
    package static func source(of name: String) throws(ArchitectureError) -> JSONValue {
        let own = try statement(of: name)
        guard let extended = own["extends"] else { return own }
        let parents = extended.array?.compactMap(\.string) ?? [extended.string].compactMap(\.self)
        guard let first = parents.first, !parents.contains(name) else {
            throw .invalidDescription(family: name, field: "extends")
        }
        // The first with all that it inherits; of the others what they state themselves.
        var base = try source(of: first)
        for parent in parents.dropFirst() { base = merged(base, try statement(of: parent)) }
        return merged(base, own)
    }

    /// What a family's JSON states itself.
    private static func statement(of name: String) throws(ArchitectureError) -> JSONValue {
        guard let statement = statements[name] else { throw .invalidDescription(family: name, field: "its JSON") }
        return statement
    }

    private static let statements = embedded.compactMapValues { try? JSONDocument(parsing: $0).root }

    /// Members of objects one by one; null takes a member away; anything else replaces.
    static func merged(_ base: JSONValue, _ change: JSONValue) -> JSONValue {
        guard var object = base.object, let changes = change.object else { return change }
        for member in changes.members where member.key != "extends" {
            object[member.key] =
                member.value.isNull ? nil : object[member.key].map { merged($0, member.value) } ?? member.value
        }
        return .object(object)
    }

    private static let decoded = Result<[ModelDescription], ArchitectureError> { () throws(ArchitectureError) in
        var descriptions: [ModelDescription] = []
        for name in embedded.keys.sorted() {
            descriptions.append(try ModelDescription(decoding: try source(of: name), named: name))
        }
        return descriptions
    }
}
