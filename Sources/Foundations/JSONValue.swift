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

    public private(set) var members: [Member]
    /// Where each key stands first; nil while there are so few that looking through them is as fast.
    private var places: [BytewiseText: Int]?

    private static let few = 16

    public init(_ members: [(String, JSONValue)] = []) {
        self.init(parsed: members.map { Member(key: $0.0, value: $0.1, range: 0..<0) })
    }

    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    init(parsed members: [Member]) {
        self.members = members
        findPlaces()
    }

    private mutating func findPlaces() {
        guard members.count > Self.few else { return places = nil }
        let found = members.enumerated().map { (BytewiseText($0.element.key), $0.offset) }
        places = Dictionary(found, uniquingKeysWith: { first, _ in first })
    }

    private func place(of key: String) -> Int? {
        if let places { return places[BytewiseText(key)] }
        return members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }

    public static func == (a: JSONObject, b: JSONObject) -> Bool { a.members == b.members }

    /// Keys are compared byte by byte, not by Unicode equivalence. Setting keeps the place of a member that is there.
    public subscript(_ key: String) -> JSONValue? {
        get { place(of: key).map { members[$0].value } }
        set {
            switch (place(of: key), newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil):
                members.remove(at: place)
                findPlaces()
            case (nil, let value?):
                members.append(Member(key: key, value: value, range: 0..<0))
                if places == nil { findPlaces() } else { places?[BytewiseText(key)] = members.count - 1 }
            case (nil, nil): break
            }
        }
    }
}
