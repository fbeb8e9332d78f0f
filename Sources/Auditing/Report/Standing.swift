/// What the attackers made of one protection, as the page looks at it.
package struct Standing {
    /// The best candidate of some attacks and merges.
    package struct Reached: Equatable {
        package let attack, merge: String
        package let candidate: AuditResults.Candidate
        package var utility: Double { candidate.scores.utility }

        init(attack: String, merge: String, candidate: AuditResults.Candidate) {
            (self.attack, self.merge, self.candidate) = (attack, merge, candidate)
        }

        init(_ worst: AuditResults.Worst) {
            self.init(attack: worst.attack, merge: worst.merge, candidate: worst.candidate)
        }
    }

    /// One attack with one merge.
    package struct Outcome {
        package let attack: String
        /// Nil where the attack itself gave nothing.
        package let merge: String?
        /// Whether the merge keeps every model: it rebuilds each task apart, or routes among them.
        package let isPerTask: Bool
        package let best: AuditResults.Candidate?
        package let failure: String?

        package var reached: Reached? {
            guard let merge, let best else { return nil }
            return Reached(attack: attack, merge: merge, candidate: best)
        }
    }

    package let protection: AuditResults.Protection
    package let outcomes: [Outcome]

    package init(_ protection: AuditResults.Protection) {
        self.protection = protection
        outcomes = protection.attacks.flatMap { attack -> [Outcome] in
            if attack.merges.isEmpty || attack.failure != nil {
                return [Outcome(attack: attack.name, merge: nil, isPerTask: false, best: nil, failure: attack.failure)]
            }
            return attack.merges.map { merge in
                Outcome(
                    attack: attack.name, merge: merge.name, isPerTask: merge.isPerTask, best: merge.best,
                    failure: merge.failure)
            }
        }
    }

    package var name: String { protection.name }
    /// Whether nothing protects it: the reference.
    package var isReference: Bool { name == AuditConfiguration.Protection.unprotected }

    /// The candidate with the largest utility among all merges that give one model; of equal ones the first.
    package var best: Reached? { protection.worst.map(Reached.init) }
    /// The same among those that keep every model.
    package var bestPerTask: Reached? { protection.worstPerTask.map(Reached.init) }
    /// How much more it is than what needs no merge.
    package var advantage: Double? { best.map { advantage(of: $0.utility) } }
    package func advantage(of utility: Double) -> Double { utility - protection.baseline.utility }

    /// The best of these; of equal ones the first. Utilities that are no numbers are not compared.
    package static func best(of outcomes: [Outcome]) -> Reached? {
        outcomes.compactMap(\.reached).filter { $0.utility.isFinite }
            .reduce(nil) { best, next in best.map { next.utility > $0.utility } ?? true ? next : best }
    }

    /// The protections of an audit, the worst for the publisher first: of the largest advantage. Those of which nothing is known come next, the unprotected
    /// model last.
    package static func ranked(_ results: AuditResults) -> [Standing] {
        func rank(_ standing: Standing) -> Double {
            standing.isReference ? -.infinity : standing.advantage ?? -.greatestFiniteMagnitude
        }
        return results.protections.map(Standing.init).enumerated()
            .sorted { (rank($0.element), -$0.offset) > (rank($1.element), -$1.offset) }.map(\.element)
    }
}
