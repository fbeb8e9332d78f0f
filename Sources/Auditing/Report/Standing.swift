/// What the attackers made of one protection, as the page looks at it.
struct Standing {
    /// The best candidate of some attacks and merges.
    struct Reached: Equatable {
        let attack, merge: String
        let candidate: AuditResults.Candidate
        var utility: Double { candidate.scores.utility }
    }

    /// One attack with one merge.
    struct Outcome {
        let attack: String
        /// Nil where the attack itself gave nothing.
        let merge: String?
        let best: AuditResults.Candidate?
        let failure: String?

        var reached: Reached? {
            guard let merge, let best else { return nil }
            return Reached(attack: attack, merge: merge, candidate: best)
        }
    }

    let protection: AuditResults.Protection
    let outcomes: [Outcome]

    init(_ protection: AuditResults.Protection) {
        self.protection = protection
        outcomes = protection.attacks.flatMap { attack -> [Outcome] in
            if attack.merges.isEmpty || attack.failure != nil {
                return [Outcome(attack: attack.name, merge: nil, best: nil, failure: attack.failure)]
            }
            return attack.merges.map { merge in
                Outcome(attack: attack.name, merge: merge.name, best: merge.best, failure: merge.failure)
            }
        }
    }

    var name: String { protection.name }
    /// Whether nothing protects it: the reference.
    var isReference: Bool { name == Self.unprotected }
    static let unprotected = "none"

    /// The candidate with the largest utility among all; of equal ones the first.
    var best: Reached? { Self.best(of: outcomes) }
    /// How much more it is than what needs no merge.
    var advantage: Double? { best.map { advantage(of: $0.utility) } }
    func advantage(of utility: Double) -> Double { utility - protection.baseline.utility }

    /// The best of these; of equal ones the first. Utilities that are no numbers are not compared.
    static func best(of outcomes: [Outcome]) -> Reached? {
        outcomes.compactMap(\.reached).filter { $0.utility.isFinite }
            .reduce(nil) { best, next in best.map { next.utility > $0.utility } ?? true ? next : best }
    }

    /// The protections of an audit, the worst for the publisher first: of the largest advantage. Those of which nothing is known come next, the unprotected
    /// model last.
    static func ranked(_ results: AuditResults) -> [Standing] {
        func rank(_ standing: Standing) -> Double {
            standing.isReference ? -.infinity : standing.advantage ?? -.greatestFiniteMagnitude
        }
        return results.protections.map(Standing.init).enumerated()
            .sorted { (rank($0.element), -$0.offset) > (rank($1.element), -$1.offset) }.map(\.element)
    }
}
