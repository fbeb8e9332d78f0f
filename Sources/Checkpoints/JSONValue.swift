/// A JSON value that keeps what Foundation's parsers lose: the order of members, numbers as written, and where each
/// member's value lies in the source.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The number as written; `int` and `double` read it.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    public var isNull: Bool { self == .null }

    /// The number, when it is written as an integer and fits.
    public var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }
    public var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }

    public subscript(_ key: String) -> JSONValue? { object?[key] }

    public static func int(_ value: Int) -> JSONValue { .number(String(value)) }

    /// Shortest decimal form that reads back as the same double.
    /// JSON has no infinities; they become null.
    public static func double(_ value: Double) -> JSONValue {
        value.isFinite ? .number("\(value)") : .null
    }
}

/// The members of a JSON object, in the order of the source.
public struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public struct Member: Sendable, Equatable {
        public var key: String
        public var value: JSONValue
        /// Byte range of the value in the document it was parsed from.
        var range: Range<Int>

        public static func == (a: Member, b: Member) -> Bool {
            a.key.utf8.elementsEqual(b.key.utf8) && a.value == b.value
        }
    }

    public internal(set) var members: [Member]

    public init(_ members: [(String, JSONValue)] = []) {
        self.members = members.map { Member(key: $0.0, value: $0.1, range: 0..<0) }
    }

    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    init(parsed members: [Member]) { self.members = members }

    /// Keys are compared byte by byte, not by Unicode equivalence. Setting keeps the place of a member that is there.
    public subscript(_ key: String) -> JSONValue? {
        get { members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value }
        set {
            let place = members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
            switch (place, newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil): members.remove(at: place)
            case (nil, let value?): members.append(Member(key: key, value: value, range: 0..<0))
            case (nil, nil): break
            }
        }
    }
}
