/// The lines of a text, by the places of their bytes.
enum CardLines {
    struct Line {
        let start: Int
        /// Where its line end begins.
        let contentEnd: Int
        /// Behind its line end.
        let end: Int

        func text(in text: [UInt8]) -> String { String(decoding: text[start..<contentEnd], as: UTF8.self) }

        func trimmed(in text: [UInt8]) -> String {
            String(decoding: text[start..<contentEnd].drop { isWhite($0) }, as: UTF8.self)
        }

        func isBlank(in text: [UInt8]) -> Bool { text[start..<contentEnd].allSatisfy(isWhite) }

        func isBlankOrComment(in text: [UInt8]) -> Bool { FrontMatter.isRemark(text[start..<contentEnd]) }

        private func isWhite(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    }

    static func all(of text: [UInt8]) -> [Line] {
        var (lines, start) = ([Line](), 0)
        while start < text.count {
            let newline = text[start...].firstIndex(of: UInt8(ascii: "\n"))
            var contentEnd = newline ?? text.count
            if newline != nil, contentEnd > start, text[contentEnd - 1] == UInt8(ascii: "\r") { contentEnd -= 1 }
            let end = newline.map { $0 + 1 } ?? text.count
            lines.append(Line(start: start, contentEnd: contentEnd, end: end))
            start = end
        }
        return lines
    }

    /// The line end that a text has: that of its first line.
    static func end(of text: [UInt8]) -> String {
        guard let first = text.firstIndex(of: UInt8(ascii: "\n")), first > 0, text[first - 1] == UInt8(ascii: "\r")
        else {
            return "\n"
        }
        return "\r\n"
    }
}
