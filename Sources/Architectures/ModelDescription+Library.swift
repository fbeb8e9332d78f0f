import Checkpoints

extension ModelDescription {
    /// All families, by name; decoded once. A new family is a JSON file in Descriptions.
    package static func library() throws(ArchitectureError) -> [ModelDescription] { try decoded.get() }

    /// A family's JSON with everything that it inherits filled in.
    package static func source(of name: String) throws(ArchitectureError) -> JSONValue {
        guard let bytes = embedded[name], let document = try? JSONDocument(parsing: bytes) else {
            throw .invalidDescription(family: name, field: "its JSON")
        }
        guard let parent = document.root["extends"]?.string else { return document.root }
        guard parent != name else { throw .invalidDescription(family: name, field: "extends") }
        return merged(try source(of: parent), document.root)
    }

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
