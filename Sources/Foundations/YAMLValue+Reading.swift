/// What a value is expected to be; anything else is a fault at its line.
extension YAMLValue {
    /// A map's values by their keys, all of which are known.
    package func members(of known: [String]) throws(YAMLFault) -> [String: YAMLValue] {
        guard case .map(let members, _) = self else {
            throw YAMLFault(line: line, reason: "expected a map of \(known.joined(separator: ", "))")
        }
        if let odd = members.first(where: { !known.contains($0.key) }) {
            throw YAMLFault(
                line: odd.line,
                reason: "key \(PrintableText.line(odd.key)) is unknown; known are \(known.joined(separator: ", "))")
        }
        return Dictionary(members.map { ($0.key, $0.value) }) { $1 }
    }

    /// A list that holds something.
    package func items(_ name: String) throws(YAMLFault) -> [YAMLValue] {
        guard case .list(let items, _) = self, !items.isEmpty else {
            throw YAMLFault(line: line, reason: "\(name) is no list of one item at least")
        }
        return items
    }

    /// Its text.
    package func need(_ expected: String) throws(YAMLFault) -> String {
        guard let text else { throw YAMLFault(line: line, reason: "expected \(expected)") }
        return text
    }

    /// A whole number.
    package func whole(_ name: String, in range: ClosedRange<Int>) throws(YAMLFault) -> Int {
        guard let number, let whole = Int(exactly: number), range.contains(whole) else {
            let most = range.upperBound == .max ? "" : " to \(range.upperBound)"
            throw YAMLFault(line: line, reason: "\(name): expected a whole number from \(range.lowerBound)\(most)")
        }
        return whole
    }
}
