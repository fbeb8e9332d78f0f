/// A JSON document with its exact bytes, so that an edit changes what it must and nothing else.
public struct JSONDocument: Sendable, Equatable {
    public let bytes: [UInt8]
    public let root: JSONValue
    private let dialect: JSONDialect

    public init(parsing bytes: [UInt8], as dialect: JSONDialect = .strict) throws(JSONFault) {
        self.bytes = bytes
        self.dialect = dialect
        var fault: JSONFault?
        var parsed = JSONValue.null
        bytes.withUnsafeBytes { raw in
            do throws(JSONFault) { parsed = try JSONParser.parse(raw, as: dialect) } catch { fault = error }
        }
        if let fault { throw fault }
        root = parsed
    }

    public subscript(_ key: String) -> JSONValue? { root[key] }

    /// Whether it begins with U+FEFF, which only a lenient dialect reads.
    public var hasByteOrderMark: Bool { bytes.starts(with: JSONParser.byteOrderMark) }

    /// The document with the value at `path` replaced, or a new member added at the end of its object in the style of
    /// the members before it. Every other byte stays. Nil when the path does not lead through objects.
    public func setting(_ path: [String], to value: JSONValue) -> JSONDocument? {
        guard let last = path.last, var object = root.object else { return nil }
        for key in path.dropLast() {
            guard let next = object[key]?.object else { return nil }
            object = next
        }
        var edited = bytes
        if let member = object.members.first(where: { $0.key.utf8.elementsEqual(last.utf8) }) {
            edited.replaceSubrange(member.range, with: value.serialized().utf8)
        } else {
            guard let neighbour = object.members.last else { return nil }
            let (space, colon) = style(of: object.members.first ?? neighbour)
            let text = "," + space + JSONValue.string(last).serialized() + colon + value.serialized()
            edited.insert(contentsOf: text.utf8, at: neighbour.range.upperBound)
        }
        return try? JSONDocument(parsing: edited, as: dialect)
    }

    /// The white space before a member's key, and what stands between its key and its value.
    private func style(of member: JSONObject.Member) -> (space: String, colon: String) {
        let quote = UInt8(ascii: "\"")
        var keyEnd = member.range.lowerBound
        while keyEnd > 0, bytes[keyEnd - 1] != quote { keyEnd -= 1 }
        var keyStart = keyEnd - 1
        repeat {
            keyStart -= 1
        } while keyStart > 0 && !(bytes[keyStart] == quote && bytes[keyStart - 1] != UInt8(ascii: "\\"))
        var spaceStart = max(keyStart, 0)
        while spaceStart > 0, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[spaceStart - 1]) { spaceStart -= 1 }
        return (
            String(decoding: bytes[spaceStart..<max(keyStart, spaceStart)], as: UTF8.self),
            String(decoding: bytes[keyEnd..<member.range.lowerBound], as: UTF8.self)
        )
    }
}

extension JSONValue {
    /// Compact JSON text, or indented by two spaces a level.
    public func serialized(indented: Bool = false) -> String {
        var text = ""
        write(to: &text, indentation: indented ? 0 : nil)
        return text
    }

    private func write(to text: inout String, indentation: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let number): text += number
        case .string(let string): Self.writeString(string, to: &text)
        case .array(let values):
            let flat = values.allSatisfy { $0.array == nil && $0.object == nil }
            Self.writeList(values, "[", "]", to: &text, indentation: flat ? nil : indentation) {
                $0.write(to: &$1, indentation: $2)
            }
        case .object(let object):
            Self.writeList(object.members, "{", "}", to: &text, indentation: indentation) { member, text, inner in
                Self.writeString(member.key, to: &text)
                text += indentation == nil ? ":" : ": "
                member.value.write(to: &text, indentation: inner)
            }
        }
    }

    private static func writeList<Item>(
        _ items: [Item], _ open: String, _ close: String, to text: inout String, indentation: Int?,
        item write: (Item, inout String, Int?) -> Void
    ) {
        text += open
        for (index, item) in items.enumerated() {
            if index > 0 { text += indentation == nil ? ", " : "," }
            if let indentation { text += "\n" + String(repeating: "  ", count: indentation + 1) }
            write(item, &text, indentation.map { $0 + 1 })
        }
        if let indentation, !items.isEmpty { text += "\n" + String(repeating: "  ", count: indentation) }
        text += close
    }

    private static func writeString(_ string: String, to text: inout String) {
        let isPlain = string.utf8.allSatisfy {
            0x20..<0x7f ~= $0 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        guard !isPlain else { return text += "\"\(string)\"" }
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where PrintableText.isVisible(scalar): text.unicodeScalars.append(scalar)
            default:
                for unit in String(scalar).utf16 {
                    let hex = String(unit, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                }
            }
        }
        text += "\""
    }
}
