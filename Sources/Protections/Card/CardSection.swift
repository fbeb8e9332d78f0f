/// Our section of a model card: what stands between two comments, each on a line of its own.
enum CardSection {
    private static let begin = "<!-- mergeproof: begin -->"
    private static let end = "<!-- mergeproof: end -->"

    /// The section as it stands in a card.
    static func bytes(_ markdown: String, lineEnd: String) -> [UInt8] {
        let lines =
            [begin] + markdown.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) + [end, ""]
        return Array(lines.joined(separator: lineEnd).utf8)
    }

    /// Where the section lies in a card, comments and their line ends included; nil where there is none, or more than one.
    static func range(in text: [UInt8]) -> Range<Int>? {
        let lines = CardLines.all(of: text)
        func places(of mark: String) -> [CardLines.Line] { lines.filter { $0.text(in: text) == mark } }
        let (begins, ends) = (places(of: begin), places(of: end))
        guard begins.count == 1, ends.count == 1, begins[0].start < ends[0].start else { return nil }
        return begins[0].start..<ends[0].end
    }

    /// A card without its section and the blank line before it; nil where it has none.
    static func removed(from text: [UInt8]) -> [UInt8]? {
        guard let section = range(in: text) else { return nil }
        var before = text[..<section.lowerBound]
        for blank in ["\r\n\r\n", "\n\n"] where before.suffix(blank.utf8.count).elementsEqual(blank.utf8) {
            before = before.dropLast(blank.utf8.count / 2)
            break
        }
        return Array(before) + text[section.upperBound...]
    }
}
