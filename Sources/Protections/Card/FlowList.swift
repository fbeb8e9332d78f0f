/// A list or mapping in brackets, as YAML writes it on one line or several.
struct FlowList {
    /// Behind the closing bracket.
    private(set) var end = 0
    /// Where something may be added: behind the last item, the last comma or the opening bracket.
    private var lastSignificant: Int
    private var endsInComma = false
    private var isEmpty = true
    /// Its own items where they are plain or quoted, nil where some are lists or mappings themselves.
    private var items: [String]? = []

    /// - Parameter start: of the opening bracket.
    /// - Returns: nil where no bracket closes it.
    init?(_ text: [UInt8], at start: Int) {
        lastSignificant = start
        var (open, place, item) = ([text[start]], start + 1, [UInt8]())
        var isItemStart = true
        while place < text.count {
            let byte = text[place]
            switch byte {
            case UInt8(ascii: "#") where Self.isBlank(text[place - 1]):
                while place < text.count, text[place] != UInt8(ascii: "\n") { place += 1 }
                continue
            case _ where Self.isBlank(byte):
                if !item.isEmpty { item.append(byte) }
                place += 1
                continue
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                guard isItemStart else { break }
                guard let quoted = QuotedText(text, at: place) else { return nil }
                item = Array(quoted.content.utf8)
                (lastSignificant, place, isItemStart, isEmpty, endsInComma) = (
                    quoted.end - 1, quoted.end, false, false, false
                )
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                open.append(byte)
                items = nil
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                // The one is two places behind the other in ASCII.
                guard let last = open.popLast(), last + 2 == byte else { return nil }
                if open.isEmpty {
                    add(item)
                    end = place + 1
                    return
                }
            default: break
            }
            isItemStart = [UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ":")].contains(byte)
            endsInComma = byte == UInt8(ascii: ",")
            isEmpty = false
            lastSignificant = place
            if endsInComma, open.count == 1 {
                add(item)
                item = []
            } else {
                item.append(byte)
            }
            place += 1
        }
        return nil
    }

    private mutating func add(_ item: [UInt8]) {
        var item = item[...]
        while let last = item.last, Self.isBlank(last) { item = item.dropLast() }
        items?.append(String(decoding: item, as: UTF8.self))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0a, 0x0d].contains(byte) }

    /// - Returns: nil where it is there already, or the list holds more than names.
    func insertion(of name: String) -> FrontMatter.Insertion? {
        guard let items, !items.contains(name) else { return nil }
        return FrontMatter.Insertion(
            (isEmpty ? "" : endsInComma ? " " : ", ") + name, at: lastSignificant + 1)
    }
}

/// A text in single or double quotes.
struct QuotedText {
    /// Between the quotes, as it is written.
    let content: String
    /// Behind the closing quote.
    let end: Int

    /// Nil where no quote stands, or none closes it.
    init?(_ text: [UInt8], at start: Int) {
        guard start < text.count else { return nil }
        let quote = text[start]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return nil }
        var place = start + 1
        while place < text.count {
            if quote == UInt8(ascii: "\""), text[place] == UInt8(ascii: "\\") {
                place += 2
            } else if text[place] != quote {
                place += 1
            } else if quote == UInt8(ascii: "'"), place + 1 < text.count, text[place + 1] == quote {
                place += 2
            } else {
                content = String(decoding: text[start + 1..<place], as: UTF8.self)
                end = place + 1
                return
            }
        }
        return nil
    }
}

/// A line `- name` of a list.
struct ListItem {
    let indent: String
    let value: String

    /// Nil for what is no single name.
    init?(_ line: String) {
        let indent = line.prefix { $0 == " " }
        guard line.dropFirst(indent.count).hasPrefix("- ") else { return nil }
        let rest = Array(line.utf8.dropFirst(indent.utf8.count + 1).drop { $0 == UInt8(ascii: " ") })
        guard let first = rest.first else { return nil }
        if let quoted = QuotedText(rest, at: 0) {
            guard FrontMatter.isRemark(rest[quoted.end...]) else { return nil }
            value = quoted.content
        } else {
            guard !Self.special.contains(first), !rest.starts(with: "- ".utf8) else { return nil }
            var plain = String(decoding: rest, as: UTF8.self)
            guard !plain.contains(": "), !plain.hasSuffix(":") else { return nil }
            if let remark = plain.firstRange(of: " #") { plain = String(plain[..<remark.lowerBound]) }
            while plain.last == " " || plain.last == "\t" { plain.removeLast() }
            value = plain
        }
        self.indent = String(indent)
    }

    private static let special = Set("\"'[]{}|>&*!%@`#,?".utf8)
}
