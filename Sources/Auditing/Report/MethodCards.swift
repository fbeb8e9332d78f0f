import Alignment
import Merging
import Protections

/// What the methods are that an audit names: one line for each, and where it was published.
package struct MethodCards {
    package struct Card: Equatable {
        package let name, summary: String
        package let reference: String?
    }

    package let protections, attacks, merges: [Card]

    package init(_ results: AuditResults) {
        let attacked = results.protections.flatMap(\.attacks)
        protections = Self.cards(results.protections.flatMap { Self.steps(of: $0.name) }) { name in
            ProtectionMethod(rawValue: name).map { Card(name: $0.name, summary: $0.summary, reference: $0.reference) }
        }
        attacks = Self.cards(attacked.map(\.name)) { name in
            if name == CircuitMerger.name { return Card(name: name, summary: CircuitMerger.summary, reference: nil) }
            return AlignmentMethod.builtIn.first { $0.name == name }
                .map { Card(name: $0.name, summary: $0.summary, reference: $0.reference) }
        }
        merges = Self.cards(attacked.flatMap { $0.merges.map(\.name) }) { name in
            MergeMethod.all.first { $0.name == name }
                .map { Card(name: $0.name, summary: $0.summary, reference: $0.reference) }
        }
    }

    /// One for each method that is known, in the order in which they are first named.
    private static func cards(_ names: [String], _ known: (String) -> Card?) -> [Card] {
        var cards: [Card] = []
        for name in names {
            guard let card = known(method(of: name)), !cards.contains(card) else { continue }
            cards.append(card)
        }
        return cards
    }

    /// What stands before the parameters.
    package static func method(of name: String) -> String { String(name.prefix { $0 != " " && $0 != "(" }) }

    /// The steps of a chain; what joins them counts outside of parentheses alone.
    package static func steps(of chain: String) -> [String] {
        var (steps, depth) = ([""], 0)
        for character in chain {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if depth <= 0, String(character) == ProtectionMethod.separator {
                steps.append("")
            } else {
                steps[steps.count - 1].append(character)
            }
        }
        return steps.map { String($0.drop { $0 == " " }) }
    }

    package var markup: Markup {
        let groups: [(String, [Card])] = [("Protections", protections), ("Attacks", attacks), ("Merges", merges)]
        return "\(groups.filter { !$0.1.isEmpty }.map { group($0.0, $0.1) })"
    }

    private func group(_ title: String, _ cards: [Card]) -> Markup {
        let items = cards.map { card -> Markup in
            "<dt>\(Markup.name(card.name))</dt>\n<dd>\(Self.capitalised(card.summary)). \(Self.link(card.reference))</dd>\n"
        }
        return "<h3>\(title)</h3>\n<dl class=\"cards\">\n\(items)</dl>\n"
    }

    private static func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

    /// To the paper, where the reference is an arXiv id.
    package static func link(_ reference: String?) -> Markup {
        guard let reference else { return "" }
        let isID = reference.wholeMatch(of: /[0-9]{4}\.[0-9]{4,5}(v[0-9]+)?/) != nil
        return isID ? "<a href=\"https://arxiv.org/abs/\(reference)\">arXiv \(reference)</a>" : "\(reference)"
    }
}
