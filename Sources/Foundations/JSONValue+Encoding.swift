extension JSONValue {
    /// What a value encodes, as JSON: members in the order in which they are encoded, numbers in the shortest form that reads back
    /// as the same. An optional that is nil is null, so that a report always has the same keys; so is a number that is not finite, which
    /// JSON does not have. Dictionaries, which have no order, are sorted by their keys.
    ///
    /// - Throws: what the value's own `encode(to:)` throws.
    public init(encoding value: some Encodable) throws {
        switch value {
        case let value as Bool: self = .bool(value)
        case let value as String: self = .string(value)
        case let value as Double: self = .double(value)
        case let value as Float: self = value.isFinite ? .number("\(value)") : .null
        case let value as any BinaryInteger: self = .number("\(value)")
        case let values as [Double]: self = .array(values.map(JSONValue.double))
        default:
            let tree = JSONTree()
            try value.encode(to: JSONTreeEncoder(tree: tree, codingPath: []))
            self = value is any StringKeyed ? tree.value.sortedByKey : tree.value
        }
    }

    fileprivate var sortedByKey: JSONValue {
        guard let object else { return self }
        return .object(JSONObject(object.members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
    }
}

/// Dictionaries whose keys become members.
private protocol StringKeyed {}

extension Dictionary: StringKeyed where Key == String {}

/// A value that is being encoded; several containers may add to one.
private final class JSONTree {
    private enum Content {
        case leaf(JSONValue)
        case list([JSONTree])
        case members([(key: String, tree: JSONTree)])
    }

    private var content = Content.leaf(.null)

    var value: JSONValue {
        switch content {
        case .leaf(let value): value
        case .list(let trees): .array(trees.map(\.value))
        case .members(let members): .object(JSONObject(members.map { ($0.key, $0.tree.value) }))
        }
    }

    var count: Int { if case .list(let trees) = content { trees.count } else { 0 } }

    func set(_ value: JSONValue) { content = .leaf(value) }

    func beginMembers() { if case .members = content {} else { content = .members([]) } }

    func beginList() { if case .list = content {} else { content = .list([]) } }

    /// The member of a key, a new one at the end unless it is there.
    func member(_ key: String) -> JSONTree {
        guard case .members(var members) = content else { return self }
        if let known = members.first(where: { $0.key == key }) { return known.tree }
        let tree = JSONTree()
        members.append((key, tree))
        content = .members(members)
        return tree
    }

    func append() -> JSONTree {
        guard case .list(var trees) = content else { return self }
        let tree = JSONTree()
        trees.append(tree)
        content = .list(trees)
        return tree
    }
}

private struct JSONTreeEncoder: Encoder {
    let tree: JSONTree
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        tree.beginMembers()
        return KeyedEncodingContainer(Members(tree: tree, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        tree.beginList()
        return List(tree: tree, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(tree: tree, codingPath: codingPath) }
}

extension JSONTreeEncoder {
    private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let tree: JSONTree
        let codingPath: [any CodingKey]

        private func member(_ key: any CodingKey) -> JSONTreeEncoder {
            JSONTreeEncoder(tree: tree.member(key.stringValue), codingPath: codingPath + [key])
        }

        func encodeNil(forKey key: Key) { tree.member(key.stringValue).set(.null) }

        func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
            tree.member(key.stringValue).set(try JSONValue(encoding: value))
        }

        private func encode(optional value: (some Encodable)?, forKey key: Key) throws {
            tree.member(key.stringValue).set(try value.map { try JSONValue(encoding: $0) } ?? .null)
        }

        // The protocol's own of each type would win over one for all, and leave nil out.
        func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encode(optional: value, forKey: key) }
        func encodeIfPresent(_ value: (some Encodable)?, forKey key: Key) throws {
            try encode(optional: value, forKey: key)
        }

        func nestedContainer<Inner: CodingKey>(
            keyedBy type: Inner.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Inner> { member(key).container(keyedBy: type) }

        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { member(key).unkeyedContainer() }

        func superEncoder() -> any Encoder { member(AnyKey("super")) }

        func superEncoder(forKey key: Key) -> any Encoder { member(key) }
    }

    private struct List: UnkeyedEncodingContainer {
        let tree: JSONTree
        let codingPath: [any CodingKey]
        var count: Int { tree.count }

        private func next() -> JSONTreeEncoder { JSONTreeEncoder(tree: tree.append(), codingPath: codingPath) }

        func encodeNil() { tree.append().set(.null) }

        func encode<T: Encodable>(_ value: T) throws { tree.append().set(try JSONValue(encoding: value)) }

        func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
            next().container(keyedBy: type)
        }

        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }

        func superEncoder() -> any Encoder { next() }
    }

    private struct Single: SingleValueEncodingContainer {
        let tree: JSONTree
        let codingPath: [any CodingKey]

        func encodeNil() { tree.set(.null) }

        func encode<T: Encodable>(_ value: T) throws { tree.set(try JSONValue(encoding: value)) }
    }
}
