import Checkpoints
import Foundations

/// Names that a description declares; everything else must refer to these.
struct Vocabulary {
    var dimensions: Set<String> = []
    var numbers: Set<String> = []
    var flags: Set<String> = ["first"]
    var rotaries: Set<String> = []
    /// Where what is read is noted, if anywhere.
    var record: DescriptionKeys.Record?
    /// Opaque parts.
    var parts: Set<String> = []
}

/// The members of one object of a description. Each is taken once; what nobody takes is an error that names the field.
struct Fields {
    let family: String
    let path: String
    /// What the object is to the one around it: the key that it stands at; of a dictionary's members `layer.*`, of a list's `steps[]`.
    let kind: String
    var vocabulary: Vocabulary
    private var members: [String: JSONValue] = [:]

    init(
        _ value: JSONValue?, family: String, path: String, kind: String? = nil, vocabulary: Vocabulary = .init()
    ) throws(ArchitectureError) {
        self.family = family
        self.path = path
        self.kind = kind ?? path
        self.vocabulary = vocabulary
        guard let object = value?.object else { throw .invalidDescription(family: family, field: path) }
        for member in object.members where !member.value.isNull { members[member.key] = member.value }
    }

    func fault(_ key: String) -> ArchitectureError { .invalidDescription(family: family, field: place(key)) }

    private func place(_ key: String) -> String { path == "description" ? key : "\(path).\(key)" }

    /// Throws unless everything has been taken.
    func end() throws(ArchitectureError) {
        if let left = members.keys.min() { throw .invalidDescription(family: family, field: "\(path).\(left)") }
    }

    mutating func take(_ key: String) -> JSONValue? {
        vocabulary.record?.note(key, of: kind)
        return members.removeValue(forKey: key)
    }

    func has(_ key: String) -> Bool {
        vocabulary.record?.note(key, of: kind)
        return members[key] != nil
    }

    mutating func optionalString(_ key: String) throws(ArchitectureError) -> String? {
        guard let value = take(key) else { return nil }
        guard let string = value.string else { throw fault(key) }
        return string
    }

    mutating func string(_ key: String) throws(ArchitectureError) -> String {
        guard let string = try optionalString(key) else { throw fault(key) }
        return string
    }

    mutating func bool(_ key: String, default standard: Bool) throws(ArchitectureError) -> Bool {
        guard let value = take(key) else { return standard }
        guard let bool = value.bool else { throw fault(key) }
        return bool
    }

    mutating func int(_ key: String, default standard: Int) throws(ArchitectureError) -> Int {
        guard let value = take(key) else { return standard }
        guard let int = value.int else { throw fault(key) }
        return int
    }

    mutating func double(_ key: String, default standard: Double) throws(ArchitectureError) -> Double {
        guard let value = take(key) else { return standard }
        guard let double = value.double else { throw fault(key) }
        return double
    }

    /// A list of strings; a single string counts as a list of one.
    mutating func strings(_ key: String) throws(ArchitectureError) -> [String] {
        guard let value = take(key) else { throw fault(key) }
        return try list(value, key)
    }

    mutating func optionalStrings(_ key: String) throws(ArchitectureError) -> [String]? {
        guard let value = take(key) else { return nil }
        return try list(value, key)
    }

    private func list(_ value: JSONValue, _ key: String) throws(ArchitectureError) -> [String] {
        if let string = value.string { return [string] }
        guard let values = value.array else { throw fault(key) }
        var strings: [String] = []
        for value in values {
            guard let string = value.string else { throw fault(key) }
            strings.append(string)
        }
        return strings
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, default standard: Choice? = nil
    ) throws(ArchitectureError) -> Choice {
        vocabulary.record?.note(key, of: kind, choices: Choice.allCases.map(\.rawValue))
        guard let name = try optionalString(key) else {
            guard let standard else { throw fault(key) }
            return standard
        }
        guard let choice = Choice(rawValue: name) else { throw fault(key) }
        return choice
    }

    /// An expression over dimensions that are declared.
    mutating func optionalExpression(_ key: String) throws(ArchitectureError) -> DimensionExpression? {
        guard let text = try optionalString(key) else { return nil }
        return try expression(text, key)
    }

    mutating func expression(_ key: String, default standard: String) throws(ArchitectureError) -> DimensionExpression {
        try expression(try optionalString(key) ?? standard, key)
    }

    func expression(_ text: String, _ key: String) throws(ArchitectureError) -> DimensionExpression {
        let expression = DimensionExpression(text: text)
        guard let names = expression.names, names.allSatisfy(vocabulary.dimensions.contains) else { throw fault(key) }
        return expression
    }

    /// The name of a number that is declared, or a number.
    mutating func number(_ key: String) throws(ArchitectureError) -> NumberReference? {
        guard let value = take(key) else { return nil }
        if let literal = value.double { return .literal(literal) }
        guard let name = value.string, vocabulary.numbers.contains(name) else { throw fault(key) }
        return .named(name)
    }

    mutating func condition(_ key: String, default standard: Bool = true) throws(ArchitectureError) -> Condition {
        guard let value = take(key) else { return Condition(constant: standard) }
        if let constant = value.bool { return Condition(constant: constant) }
        guard let text = value.string, let condition = Condition(parsing: text),
            condition.terms.allSatisfy({ vocabulary.flags.contains($0.flag) })
        else { throw fault(key) }
        return condition
    }

    /// A member that is an object, to be taken apart in its turn.
    mutating func object<Result>(
        _ key: String, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result? {
        guard let value = take(key) else { return nil }
        return try object(key, value, body)
    }

    /// A member that has been taken already.
    func object<Result>(
        _ key: String, _ value: JSONValue, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result {
        try read(value, path: place(key), as: key, body)
    }

    /// The members of an object that is a dictionary, in their order.
    mutating func dictionary<Result>(
        _ key: String, _ body: (String, inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> [(name: String, value: Result)] {
        guard let value = take(key) else { return [] }
        guard let object = value.object else { throw fault(key) }
        var results: [(name: String, value: Result)] = []
        for member in object.members where !member.value.isNull {
            let result = try read(member.value, path: "\(place(key)).\(member.key)", as: "\(key).*") {
                fields throws(ArchitectureError) in
                try body(member.key, &fields)
            }
            results.append((member.key, result))
        }
        return results
    }

    mutating func objects<Result>(
        _ key: String, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> [Result] {
        guard let value = take(key) else { return [] }
        guard let values = value.array else { throw fault(key) }
        var results: [Result] = []
        for (number, value) in values.enumerated() {
            results.append(try read(value, path: "\(place(key))[\(number)]", as: "\(key)[]", body))
        }
        return results
    }

    private func read<Result>(
        _ value: JSONValue, path: String, as kind: String,
        _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result {
        var fields = try Fields(value, family: family, path: path, kind: kind, vocabulary: vocabulary)
        let result = try body(&fields)
        try fields.end()
        return result
    }

    /// A string in short, or an object: the string stands for the object with that one member.
    mutating func shorthand<Result>(
        _ key: String, _ member: String, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> Result? {
        guard let value = take(key) else { return nil }
        let object = value.string == nil ? value : .object([member: value])
        return try read(object, path: place(key), as: key, body)
    }
}

extension Fields {
    /// One of what `shorthand` reads, or a list of such.
    mutating func shorthands<Result>(
        _ key: String, _ member: String, _ body: (inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> [Result] {
        guard let value = take(key) else { return [] }
        var results: [Result] = []
        for value in value.array ?? [value] {
            let object = value.string == nil ? value : .object([member: value])
            results.append(try read(object, path: place(key), as: key, body))
        }
        return results
    }
}

/// A number as a description writes it: a literal, or the name of one of its numbers.
enum NumberReference: Sendable, Equatable {
    case named(String)
    case literal(Double)
}
