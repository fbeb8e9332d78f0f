import Checkpoints
import Foundations

/// Objects inside of objects.
extension Fields {
    private func read<Result>(
        _ value: JSONValue, path: String, as kind: String, short: String? = nil,
        _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result {
        let path = self.path == "description" ? path : "\(self.path).\(path)"
        var fields = try Fields(value, scope, path: path, kind: kind, place: place, short: short)
        let result = try body(&fields)
        try fields.end()
        return result
    }

    /// - Parameter short: the member that stands there alone where no object does.
    mutating func object<Result>(
        _ key: String, short: String? = nil, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result? {
        guard let value = take(key) else { return nil }
        return try read(value, path: key, as: key, short: short, body)
    }

    /// An object that must be there.
    mutating func required<Result>(
        object key: String, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result {
        try required(try object(key, body), key)
    }

    /// The members of an object that is a dictionary, in their order, but for those of which the body makes nothing.
    mutating func dictionary<Result>(
        _ key: String, short: String? = nil, _ body: (String, inout Fields) throws(ArchitectureError) -> Result?
    ) throws(ArchitectureError) -> [Result] {
        guard let value = take(key) else { return [] }
        var results: [Result] = []
        for member in try required(value.object, key).members where !member.value.isNull {
            let result = try read(member.value, path: "\(key).\(member.key)", as: "\(key).*", short: short) {
                fields throws(ArchitectureError) in
                try body(member.key, &fields)
            }
            if let result { results.append(result) }
        }
        return results
    }

    mutating func objects<Result>(
        _ key: String, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> [Result] {
        guard let value = take(key) else { return [] }
        var results: [Result] = []
        for (number, value) in try required(value.array, key).enumerated() {
            results.append(try read(value, path: "\(key)[\(number)]", as: "\(key)[]", body))
        }
        return results
    }

    /// Whether its `when` holds; if not, the rest of it is left.
    mutating func isMeant() throws(ArchitectureError) -> Bool {
        let isMeant = try holds(try condition("when"))
        if !isMeant { skip() }
        return isMeant
    }

    /// One thing, or of a list the first whose `when` holds.
    mutating func choice<Result>(
        _ key: String, _ short: String, _ body: (inout Fields) throws(ArchitectureError) -> Result?
    ) throws(ArchitectureError) -> Result? {
        guard let value = take(key) else { return nil }
        var chosen: Result?
        var isFound = false
        for value in value.array ?? [value] where !isFound || scope.subject == nil {
            let kind = short == Self.value ? "choice" : key
            chosen = try read(value, path: key, as: kind, short: short) { fields throws(ArchitectureError) in
                guard try fields.isMeant() else { return nil }
                isFound = true
                return try body(&fields)
            }
        }
        return chosen
    }

    /// Puts the members of an object into the order that another member lists, if it is there.
    mutating func sort(_ key: String, by order: String) throws(ArchitectureError) {
        guard let names = try optionalStrings(order), let object = look(key)?.object else { return }
        let sorted = names.compactMap { name in object[name].map { (name, $0) } }
        guard sorted.count == object.members.count, Set(names).count == names.count else { throw fault(order) }
        replace(key, with: .object(JSONObject(sorted)))
    }
}
