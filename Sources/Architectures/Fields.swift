import Checkpoints
import Foundations

/// What all objects of a description share while it is read.
final class Scope {
    let family: String
    /// Names that the description has declared so far; everything else must refer to these.
    var vocabulary: Vocabulary
    /// The model that blocks are read for. Without one a description is only checked: every condition holds, every alternative is
    /// read, every extent is 1, and no tensor is looked for.
    let subject: Subject?
    /// No more layers of a stack are read.
    let layerLimit: Int
    let record: DescriptionKeys.Record?

    init(
        _ family: String, _ vocabulary: Vocabulary = .init(), subject: Subject? = nil, layerLimit: Int = 1,
        noting record: DescriptionKeys.Record? = nil
    ) {
        self.family = family
        self.vocabulary = vocabulary
        self.subject = subject
        self.layerLimit = layerLimit
        self.record = record
    }
}

/// Names that a description declares.
struct Vocabulary: Sendable {
    var dimensions: Set<String> = []
    var numbers: Set<String> = []
    var flags: Set<String> = ["first"]
    var rotaries: Set<String> = []
    /// Opaque parts.
    var parts: Set<String> = []
}

/// The members of one object of a description. Each is taken once; what nobody takes is an error that names the field.
struct Fields {
    let scope: Scope
    let path: String
    /// What the object is to the one around it: the key that it stands at; of a dictionary's members `layer.*`, of a list's `steps[]`.
    let kind: String
    /// Which layer's tensors are meant, and what holds where the object says nothing.
    var place: Place
    /// The one member of an object that is written as the value alone.
    private var short: String?
    private var members: [JSONObject.Member] = []

    init(
        _ value: JSONValue, _ scope: Scope, path: String = "description", kind: String? = nil, place: Place = .init(),
        short: String? = nil
    ) throws(ArchitectureError) {
        self.scope = scope
        self.path = path
        self.kind = kind ?? path
        self.place = place
        var object = value.object
        if let short, object == nil {
            self.short = short
            object = [short: value]
        }
        guard let object else { throw .invalidDescription(family: scope.family, field: path) }
        members = object.members.filter { !$0.value.isNull }
    }

    /// The member of alternatives that are numbers or names.
    static let value = "value"

    /// A fault of the object as a whole.
    var fault: ArchitectureError { .invalidDescription(family: scope.family, field: path) }

    func fault(_ key: String) -> ArchitectureError {
        key == short ? fault : .invalidDescription(family: scope.family, field: place(of: key))
    }

    private func place(of key: String) -> String { path == "description" ? key : "\(path).\(key)" }

    func required<Value>(_ value: Value?, _ key: String) throws(ArchitectureError) -> Value {
        guard let value else { throw fault(key) }
        return value
    }

    /// Throws unless everything has been taken.
    func end() throws(ArchitectureError) {
        guard let left = members.map(\.key).min() else { return }
        throw .invalidDescription(family: scope.family, field: "\(path).\(left)")
    }

    /// Leaves what concerns no model such as this one.
    mutating func skip() { members = [] }

    mutating func take(_ key: String) -> JSONValue? {
        scope.record?.note(key, of: kind)
        guard let place = members.firstIndex(where: { $0.key == key }) else { return nil }
        return members.remove(at: place).value
    }

    func look(_ key: String) -> JSONValue? {
        scope.record?.note(key, of: kind)
        return members.first { $0.key == key }?.value
    }

    mutating func replace(_ key: String, with value: JSONValue) {
        guard let place = members.firstIndex(where: { $0.key == key }) else { return }
        members[place].value = value
    }

    func has(_ key: String) -> Bool { look(key) != nil }

    private mutating func take<Value>(
        _ key: String, as read: (JSONValue) -> Value?
    ) throws(ArchitectureError) -> Value? {
        guard let value = take(key) else { return nil }
        return try required(read(value), key)
    }

    mutating func optionalString(_ key: String) throws(ArchitectureError) -> String? { try take(key, as: \.string) }

    mutating func string(_ key: String) throws(ArchitectureError) -> String {
        try required(optionalString(key), key)
    }

    mutating func bool(_ key: String, default standard: Bool) throws(ArchitectureError) -> Bool {
        try take(key, as: \.bool) ?? standard
    }

    mutating func int(_ key: String) throws(ArchitectureError) -> Int? { try take(key, as: \.int) }

    mutating func double(_ key: String) throws(ArchitectureError) -> Double? { try take(key, as: \.double) }

    mutating func values(_ key: String) throws(ArchitectureError) -> [JSONValue]? { try take(key, as: \.array) }

    /// A list of strings; a single string counts as a list of one.
    mutating func optionalStrings(_ key: String) throws(ArchitectureError) -> [String]? {
        try take(key) { value in
            let values = value.array ?? [value]
            let strings = values.compactMap(\.string)
            return strings.count == values.count ? strings : nil
        }
    }

    mutating func strings(_ key: String) throws(ArchitectureError) -> [String] {
        try required(optionalStrings(key), key)
    }

    /// One of a few words.
    mutating func word(
        _ key: String, of words: [String], default standard: String? = nil
    ) throws(ArchitectureError) -> String {
        scope.record?.note(key, of: kind, choices: words)
        return try required(take(key) { $0.string.flatMap { words.contains($0) ? $0 : nil } } ?? standard, key)
    }

    mutating func word<Word: RawRepresentable<String> & CaseIterable>(
        _ key: String, default standard: Word? = nil
    ) throws(ArchitectureError) -> Word {
        let word = try word(key, of: Word.allCases.map(\.rawValue), default: standard?.rawValue)
        return try required(Word(rawValue: word), key)
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
        guard let names = expression.names, names.allSatisfy(scope.vocabulary.dimensions.contains) else {
            throw fault(key)
        }
        return expression
    }

    /// The name of a number that is declared, or a number.
    mutating func reference(_ key: String) throws(ArchitectureError) -> NumberReference? {
        guard let value = take(key) else { return nil }
        if let literal = value.double { return .literal(literal) }
        guard let name = value.string, scope.vocabulary.numbers.contains(name) else { throw fault(key) }
        return .named(name)
    }

    mutating func condition(
        _ key: String, default standard: Condition = true
    ) throws(ArchitectureError) -> Condition {
        guard let value = take(key) else { return standard }
        if let constant = value.bool { return Condition(booleanLiteral: constant) }
        guard let text = value.string, let condition = Condition(parsing: text),
            condition.terms.allSatisfy({ scope.vocabulary.flags.contains($0.flag) })
        else { throw fault(key) }
        return condition
    }
}

/// A number as a description writes it: a literal, or the name of one of its numbers.
enum NumberReference: Sendable, Equatable {
    case named(String)
    case literal(Double)
}
