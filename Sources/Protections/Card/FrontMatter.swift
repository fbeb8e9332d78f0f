/// The YAML block at the head of a model card, as far as it must be understood to add a tag: its lines stay as they are, and one more is
/// put where it belongs. What is not plainly understood is left alone; nothing is ever parsed and written again.
struct FrontMatter {
    static let tag = "mergeproof"

    /// Bytes that are put into a text.
    struct Insertion: Equatable {
        let offset: Int
        let bytes: [UInt8]

        init(_ text: String, at offset: Int) { (self.offset, bytes) = (offset, Array(text.utf8)) }

        func applied(to text: [UInt8]) -> [UInt8] { Array(text[..<offset]) + bytes + text[offset...] }
    }

    private let text: [UInt8]
    private let lines: [CardLines.Line]
    /// The lines between the two that fence it.
    private let body: Range<Int>

    /// What adds the tag to a card.
    /// - Returns: nil where it is there already, and where the front matter is malformed or not plainly understood.
    static func insertion(into text: [UInt8]) -> Insertion? {
        let lines = CardLines.all(of: text)
        // A byte order mark would end up in the middle.
        guard String(validating: text, as: UTF8.self) != nil, !text.starts(with: [0xef, 0xbb, 0xbf]) else { return nil }
        let first = lines.first { !$0.isBlank(in: text) }
        guard let first, first.trimmed(in: text).hasPrefix("---") else {
            let end = CardLines.end(of: text)
            return Insertion(["---", "tags:", "- \(tag)", "---", "", ""].joined(separator: end), at: 0)
        }
        guard let matter = FrontMatter(text, lines) else { return nil }
        return matter.insertion
    }

    /// Where the block's own bytes lie.
    static func range(in text: [UInt8]) -> Range<Int>? {
        let lines = CardLines.all(of: text)
        return FrontMatter(text, lines).map { lines[$0.body.lowerBound - 1].start..<lines[$0.body.upperBound].end }
    }

    /// Nil without two fences, as Hugging Face's hub library looks for them.
    private init?(_ text: [UInt8], _ lines: [CardLines.Line]) {
        guard let first = lines.firstIndex(where: { !$0.isBlank(in: text) }), lines[first].text(in: text) == "---",
            let last = lines.indices.dropFirst(first + 1).first(where: {
                let line = lines[$0].text(in: text)
                return line.hasPrefix("---") && line.dropFirst(3).allSatisfy { $0 == " " || $0 == "\t" }
            })
        else { return nil }
        (self.text, self.lines, body) = (text, lines, first + 1..<last)
    }

    private var insertion: Insertion? {
        guard let keys else { return nil }
        let end = CardLines.end(of: text)
        guard let tags = keys.first(where: { $0.name == "tags" }) else {
            // Some readers cut the last line's end off, which counts in a text of several lines: such stays the last.
            let isLong = keys.last.map { $0.lines.count > 1 } ?? false
            let place = isLong ? keys[keys.count - 1].lines.lowerBound : body.upperBound
            return Insertion("tags:\(end)- \(Self.tag)\(end)", at: lines[place].start)
        }
        if tags.value == .list { return FlowList(text, at: tags.valueStart)?.insertion(of: Self.tag) }
        guard tags.value == .none else { return nil }
        var (indent, last) = ("", tags.lines.lowerBound)
        for number in tags.lines.dropFirst() where !lines[number].isBlankOrComment(in: text) {
            guard let item = ListItem(lines[number].text(in: text)), item.value != Self.tag,
                last == tags.lines.lowerBound || item.indent == indent
            else { return nil }
            (indent, last) = (item.indent, number)
        }
        return Insertion("\(indent)- \(Self.tag)\(end)", at: lines[last].end)
    }
}

extension FrontMatter {
    /// A member of the block's mapping.
    private struct Key {
        enum Value { case none, list, closed, open }
        let name: String
        let value: Value
        /// Of what stands behind the colon.
        let valueStart: Int
        /// Its own and those that its value goes on in.
        var lines: Range<Int>
    }

    /// The members, or nil where the block is no mapping whose outline can be told from its lines.
    private var keys: [Key]? {
        var keys: [Key] = []
        var number = body.lowerBound
        while number < body.upperBound {
            let line = lines[number].text(in: text)
            guard !line.contains("\r"), !line.hasPrefix("\t") else { return nil }
            if lines[number].isBlankOrComment(in: text) {
                number += 1
            } else if line.hasPrefix(" ") || line == "-" || line.hasPrefix("- ") {
                // What belongs to the member above, if that may go on.
                guard let above = keys.last, above.value == .none || (above.value == .open && line.hasPrefix(" "))
                else {
                    return nil
                }
                number += 1
                keys[keys.count - 1].lines = above.lines.lowerBound..<number
            } else {
                guard let key = key(on: number), !keys.contains(where: { $0.name == key.name }) else { return nil }
                keys.append(key)
                number = key.lines.upperBound
            }
        }
        return keys
    }

    private func key(on number: Int) -> Key? {
        let line = lines[number]
        var place = line.start
        let name: String
        if let quoted = QuotedText(text, at: place) {
            (name, place) = (quoted.content, quoted.end)
        } else {
            while place < line.contentEnd, text[place] != UInt8(ascii: ":") {
                guard Self.isPlain(text[place]) else { return nil }
                place += 1
            }
            name = String(decoding: text[line.start..<place], as: UTF8.self)
        }
        guard !name.isEmpty, place < line.contentEnd, text[place] == UInt8(ascii: ":") else { return nil }
        place += 1
        guard place == line.contentEnd || text[place] == UInt8(ascii: " ") else { return nil }
        while place < line.contentEnd, text[place] == UInt8(ascii: " ") { place += 1 }
        func key(_ value: Key.Value, _ lines: Range<Int>) -> Key {
            Key(name: name, value: value, valueStart: place, lines: lines)
        }
        guard place < line.contentEnd, text[place] != UInt8(ascii: "#") else { return key(.none, number..<number + 1) }
        var end: Int?
        switch text[place] {
        case UInt8(ascii: "["), UInt8(ascii: "{"): end = FlowList(text, at: place)?.end
        case UInt8(ascii: "\""), UInt8(ascii: "'"): end = QuotedText(text, at: place)?.end
        case let first where Self.reserved.contains(first): return nil
        default:
            let whole = String(decoding: text[place..<line.contentEnd], as: UTF8.self)
            let value = whole.firstRange(of: " #").map { whole[..<$0.lowerBound] } ?? whole[...]
            let isPlain = !value.contains(": ") && !value.hasSuffix(":") && !value.hasPrefix("- ")
            return isPlain ? key(.open, number..<number + 1) : nil
        }
        guard let end, let last = lines.indices[number..<body.upperBound].first(where: { lines[$0].end >= end }),
            end <= lines[last].contentEnd, Self.isRemark(text[end..<lines[last].contentEnd])
        else { return nil }
        return key(text[place] == UInt8(ascii: "[") ? .list : .closed, number..<last + 1)
    }

    /// Letters, digits and what names are joined with.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_-. /".utf8.contains(byte)
        }
    }

    /// What no plain value begins with.
    private static let reserved = Set("@`%,]}".utf8)

    /// Nothing, or a comment.
    static func isRemark(_ rest: ArraySlice<UInt8>) -> Bool {
        let rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return rest.isEmpty || rest.first == UInt8(ascii: "#")
    }
}
