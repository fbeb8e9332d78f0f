/// Flags that must hold or, with `!`, must not: `attention_bias`, `!sliding & sparse`. Between alternatives stands `|`, which
/// binds less: `listed | !sparse & late`.
struct Condition: Sendable, Equatable, ExpressibleByBooleanLiteral {
    let constant: Bool
    /// One of these must hold as a whole; none where the condition is constant.
    let alternatives: [[Term]]

    struct Term: Sendable, Equatable {
        let flag: String
        let isNegated: Bool
    }

    var terms: [Term] { alternatives.flatMap(\.self) }

    init(booleanLiteral constant: Bool) {
        self.constant = constant
        alternatives = []
    }

    init?(parsing text: String) {
        constant = true
        var alternatives: [[Term]] = []
        for part in text.split(separator: "|", omittingEmptySubsequences: false) {
            var terms: [Term] = []
            for word in part.split(separator: "&", omittingEmptySubsequences: false) {
                let name = word.trimmingSpaces
                let flag = name.hasPrefix("!") ? String(name.dropFirst()) : name
                guard !flag.isEmpty, !flag.contains(" ") else { return nil }
                terms.append(Term(flag: flag, isNegated: name.hasPrefix("!")))
            }
            alternatives.append(terms)
        }
        self.alternatives = alternatives
    }

    func holds(_ flag: (String) throws(ArchitectureError) -> Bool) throws(ArchitectureError) -> Bool {
        guard !alternatives.isEmpty else { return constant }
        for terms in alternatives {
            var holds = true
            for term in terms where holds { holds = try flag(term.flag) != term.isNegated }
            if holds { return true }
        }
        return false
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
