/// Values with names that are data, in their order: encoded as the members of an object.
public struct NamedValues<Value: Encodable & Sendable>: Encodable, Sendable {
    public let all: [(name: String, value: Value)]

    public init(_ all: [(name: String, value: Value)]) { self.all = all }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: AnyKey.self)
        for (name, value) in all { try container.encode(value, forKey: AnyKey(name)) }
    }
}

/// A key that is data.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ text: String) { stringValue = text }
    init(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
}
