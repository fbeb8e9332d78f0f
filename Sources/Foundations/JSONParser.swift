/// Why bytes are not the JSON that we accept.
public enum JSONFault: Error, Sendable, Equatable {
    case unexpectedEnd
    case unexpectedByte(offset: Int)
    case invalidUTF8
    case invalidEscape(offset: Int)
    case invalidNumber(offset: Int)
    case duplicateKey(String)
    /// Two keys that Unicode calls equal but whose bytes differ.
    case equivalentKeys(String)
    case tooDeep(offset: Int)
    /// A key with more combining marks in a row than any text has; comparing such takes long.
    case endlessKey(offset: Int)
    case trailingBytes(offset: Int)
}

extension JSONFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unexpectedEnd: "the JSON ends too early"
        case .unexpectedByte(let offset): "unexpected byte at offset \(offset) of the JSON"
        case .invalidUTF8: "the JSON is not valid UTF-8"
        case .invalidEscape(let offset): "invalid escape at offset \(offset) of the JSON"
        case .invalidNumber(let offset): "invalid number at offset \(offset) of the JSON"
        case .duplicateKey(let key): "the key \"\(key)\" stands twice in one JSON object"
        case .equivalentKeys(let key): "the key \"\(key)\" stands twice in one JSON object in two Unicode spellings"
        case .tooDeep(let offset): "the JSON is nested too deeply at offset \(offset)"
        case .endlessKey(let offset): "the key before offset \(offset) of the JSON has too many combining marks"
        case .trailingBytes(let offset): "unexpected bytes after the JSON at offset \(offset)"
        }
    }
}

/// What a document may hold beyond RFC 8259.
public enum JSONDialect: Sendable {
    case strict
    /// As Python writes it: `NaN`, `Infinity` and `-Infinity` are numbers; and a byte order mark may stand in front.
    case lenient
    /// Keys are told apart by their bytes, as tokens of a vocabulary are: two that Unicode calls equal are two.
    case bytewise
}

/// A strict RFC 8259 parser over bytes, in one pass: valid UTF-8, no duplicate keys, bounded depth, nothing after the value.
package struct JSONParser {
    static let maximumDepth = 64
    static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    private let dialect: JSONDialect
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    /// Parses a whole document.
    package static func parse(
        _ raw: UnsafeRawBufferPointer, as dialect: JSONDialect = .strict
    ) throws(JSONFault) -> JSONValue {
        let bytes = raw.bindMemory(to: UInt8.self)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .invalidUTF8 }
        var parser = JSONParser(bytes: bytes, dialect: dialect)
        if dialect == .lenient, bytes.starts(with: byteOrderMark) { parser.position = byteOrderMark.count }
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw .trailingBytes(offset: parser.position) }
        return value
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, dialect: JSONDialect) {
        self.bytes = bytes
        self.dialect = dialect
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    /// The next byte that is no white space.
    private mutating func peek() throws(JSONFault) -> UInt8 {
        skipSpace()
        guard position < bytes.count else { throw .unexpectedEnd }
        return bytes[position]
    }

    private mutating func expect(_ byte: UInt8) throws(JSONFault) {
        guard try peek() == byte else { throw .unexpectedByte(offset: position) }
        position += 1
    }

    private mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
        let first = try peek()
        guard depth < Self.maximumDepth else { throw .tooDeep(offset: position) }
        switch first {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default:
            if dialect == .lenient, let name = notFinite() { return .number(name) }
            return .number(try number())
        }
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONFault) -> JSONValue {
        for i in 0..<text.utf8CodeUnitCount {
            guard position < bytes.count else { throw .unexpectedEnd }
            guard bytes[position] == text.utf8Start[i] else { throw .unexpectedByte(offset: position) }
            position += 1
        }
        return value
    }

    private mutating func object(depth: Int) throws(JSONFault) -> JSONObject {
        try expect(UInt8(ascii: "{"))
        var members: [JSONObject.Member] = []
        var seen: Set<String> = []
        var seenBytes: Set<BytewiseText> = []
        if try peek() == UInt8(ascii: "}") {
            position += 1
            return JSONObject(parsed: [])
        }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw .unexpectedByte(offset: position) }
            let key = try string()
            if dialect == .bytewise {
                guard seenBytes.insert(BytewiseText(key)).inserted else { throw .duplicateKey(key) }
            } else {
                guard Self.isBounded(key) else { throw .endlessKey(offset: position) }
                // Set<String> compares by Unicode equivalence; the bytes say which fault it is.
                if let twin = seen.update(with: key) {
                    throw twin.utf8.elementsEqual(key.utf8) ? .duplicateKey(key) : .equivalentKeys(key)
                }
            }
            try expect(UInt8(ascii: ":"))
            _ = try peek()
            let start = position
            let value = try value(depth: depth + 1)
            members.append(.init(key: key, value: value, range: start..<position))
            let next = try peek()
            position += 1
            if next == UInt8(ascii: "}") { return JSONObject(parsed: members) }
            guard next == UInt8(ascii: ",") else { throw .unexpectedByte(offset: position - 1) }
        }
    }

    /// At most 30 combining marks in a row, as in Unicode's stream-safe text: sorting them is quadratic.
    private static func isBounded(_ key: String) -> Bool {
        guard !key.utf8.allSatisfy({ $0 < 0x80 }) else { return true }
        var run = 0
        for scalar in key.unicodeScalars {
            run = scalar.properties.canonicalCombiningClass == .notReordered ? 0 : run + 1
            if run > 30 { return false }
        }
        return true
    }

    private mutating func array(depth: Int) throws(JSONFault) -> [JSONValue] {
        try expect(UInt8(ascii: "["))
        var values: [JSONValue] = []
        if try peek() == UInt8(ascii: "]") {
            position += 1
            return values
        }
        while true {
            values.append(try value(depth: depth + 1))
            let next = try peek()
            position += 1
            if next == UInt8(ascii: "]") { return values }
            guard next == UInt8(ascii: ",") else { throw .unexpectedByte(offset: position - 1) }
        }
    }
}

extension JSONParser {
    private mutating func string() throws(JSONFault) -> String {
        position += 1
        var text: [UInt8] = []
        var runStart = position
        while true {
            guard position < bytes.count else { throw .unexpectedEnd }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                text.append(contentsOf: bytes[runStart..<position])
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text.append(contentsOf: bytes[runStart..<position])
                position += 1
                text.append(contentsOf: String(try escape()).utf8)
                runStart = position
            case 0..<0x20: throw .unexpectedByte(offset: position)
            default: position += 1
            }
        }
    }

    private mutating func escape() throws(JSONFault) -> Unicode.Scalar {
        guard position < bytes.count else { throw .unexpectedEnd }
        position += 1
        switch bytes[position - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw .invalidEscape(offset: position - 1)
        }
        let high = try hexadecimalUnit()
        if let scalar = Unicode.Scalar(high) { return scalar }
        // A high surrogate must be followed by an escaped low one.
        guard (0xd800..<0xdc00).contains(high), position + 1 < bytes.count,
            bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        else { throw .invalidEscape(offset: position) }
        position += 2
        let low = try hexadecimalUnit()
        guard (0xdc00..<0xe000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        else { throw .invalidEscape(offset: position) }
        return scalar
    }

    private mutating func hexadecimalUnit() throws(JSONFault) -> UInt32 {
        guard position + 4 <= bytes.count else { throw .unexpectedEnd }
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw .invalidEscape(offset: position)
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    /// A number that JSON cannot write, as Python does; nil where something else stands here.
    private mutating func notFinite() -> String? {
        for name in ["NaN", "Infinity", "-Infinity"] where bytes[position...].starts(with: name.utf8) {
            position += name.utf8.count
            return name
        }
        return nil
    }

    private mutating func number() throws(JSONFault) -> String {
        let start = position
        func isDigit(_ at: Int) -> Bool { at < bytes.count && (0x30...0x39).contains(bytes[at]) }
        func fault() -> JSONFault {
            bytes[start] == UInt8(ascii: "-") || isDigit(start)
                ? .invalidNumber(offset: start) : .unexpectedByte(offset: start)
        }
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        guard isDigit(position) else { throw fault() }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
            guard !isDigit(position) else { throw fault() }
        }
        while isDigit(position) { position += 1 }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard isDigit(position) else { throw fault() }
            while isDigit(position) { position += 1 }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[position]) {
                position += 1
            }
            guard isDigit(position) else { throw fault() }
            while isDigit(position) { position += 1 }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }
}
