import Merging

/// What an audit says of one protection, in words.
///
/// Merging is worth something to an attacker where the best merge's utility exceeds that of everything that needs no merge.
package struct Verdict: Equatable {
    package enum Outcome: Equatable {
        case getsThrough
        case stops
        /// No merge gave anything.
        case unknown
    }

    package let name: String
    package let isReference: Bool
    package let outcome: Outcome
    /// The outcome in a few words.
    package let headline: String
    /// What it rests on, in sentences.
    package let detail: String

    /// The whole verdict as one paragraph.
    package var sentence: String { name + ": " + headline + ". " + detail }

    package init(_ standing: Standing, _ tasks: [AuditResults.Task]) {
        (name, isReference) = (standing.name, standing.isReference)
        guard let best = standing.best, let advantage = standing.advantage, advantage.isFinite else {
            (outcome, headline) = (.unknown, "not measured")
            detail = "No merge gave a result, so nothing is known."
            return
        }
        let baseline = "what needs no merge (\(standing.protection.baseline.name))"
        let means = Figure.coefficients(best.candidate).map { best.merge + " at " + $0 } ?? best.merge
        let error = Self.standardError(best.candidate.scores, tasks)
        var sentence: String
        if advantage > 0 {
            outcome = .getsThrough
            headline = isReference ? "the unprotected model" : "lets a merge through"
            let after = best.attack == "none" ? "Without an attack" : "After \(best.attack)"
            sentence =
                "\(after), \(means) reaches \(Self.reached(best.candidate.scores, tasks)): "
                + "merging brings \(Figure.amount(advantage)) more than \(baseline)."
        } else {
            outcome = .stops
            headline = isReference ? "the unprotected model" : "stops every merge that was measured"
            let after = best.attack == "none" ? "without an attack" : "after \(best.attack)"
            let brings = advantage == 0 ? "exactly as much as" : "\(Figure.amount(-advantage)) less than"
            sentence =
                "The best one, \(means) \(after), reaches \(Self.reached(best.candidate.scores, tasks)), "
                + "which brings \(brings) \(baseline)."
        }
        if let error, advantage.magnitude < error {
            sentence +=
                " That is within the standard error of a utility on so few examples, \(Figure.amount(error)): it may be chance."
        }
        detail = sentence + Self.failures(standing) + Self.perTask(standing, tasks)
    }

    /// What the outcome does not rest on.
    private static func failures(_ standing: Standing) -> String {
        switch standing.outcomes.count(where: { $0.failure != nil }) {
        case 0: ""
        case 1: " One attack or merge failed: nothing is known of it."
        case let count: " \(count) attacks or merges failed: nothing is known of them."
        }
    }

    /// What merges reach that keep every model: they judge no protection, as keeping several models side by side does as well.
    private static func perTask(_ standing: Standing, _ tasks: [AuditResults.Task]) -> String {
        guard let best = standing.bestPerTask else { return "" }
        let after = best.attack == "none" ? "" : " after \(best.attack)"
        let isRouted = MergeMethod.routed.contains { $0.name == MethodCards.method(of: best.merge) }
        let how = isRouted ? "Routing each token among all models" : "Rebuilding each task apart"
        return
            " \(how), \(best.merge)\(after) reaches \(reached(best.candidate.scores, tasks)): as keeping the models side by side would, it is not counted."
    }

    /// `.707 and .750 of .752 and .776`; of many tasks the utility alone.
    private static func reached(_ scores: AuditResults.Scores, _ tasks: [AuditResults.Task]) -> String {
        guard (1...4).contains(tasks.count), scores.accuracies.count == tasks.count else {
            return "a utility of \(Figure.share(scores.utility))"
        }
        let experts = Figure.list(tasks.map { Figure.share($0.accuracy) })
        return Figure.list(scores.accuracies.map { Figure.share($0) }) + " of " + experts
    }

    /// `√(Σ_t p_t (1 - p_t) / (n_t a_t²)) / T` of accuracies `p_t` on `n_t` examples whose experts have `a_t`.
    package static func standardError(_ scores: AuditResults.Scores, _ tasks: [AuditResults.Task]) -> Double? {
        var sum = 0.0
        for (p, task) in zip(scores.accuracies, tasks) {
            guard task.examples > 0, task.accuracy > 0 else { return nil }
            sum += p * (1 - p) / (Double(task.examples) * task.accuracy * task.accuracy)
        }
        guard !tasks.isEmpty, sum.isFinite, sum >= 0 else { return nil }
        return sum.squareRoot() / Double(tasks.count)
    }

    /// How many protections let a merge through, in one sentence.
    package static func summary(_ verdicts: [Verdict]) -> String {
        let judged = verdicts.filter { !$0.isReference }
        guard !judged.isEmpty else { return "No protection was audited." }
        let parts = [
            (Outcome.getsThrough, "lets a merge through", "let a merge through"),
            (.stops, "stops every merge that was measured", "stop every merge that was measured"),
            (.unknown, "could not be measured", "could not be measured"),
        ]
        .compactMap { outcome, one, more -> String? in
            let count = judged.count { $0.outcome == outcome }
            return count == 0 ? nil : "\(count) \(count == 1 ? one : more)"
        }
        return "Of \(judged.count) \(judged.count == 1 ? "protection" : "protections"), \(Figure.list(parts))."
    }

    /// What publishing costs, in one sentence; nil where nothing was measured.
    package static func cost(_ protection: AuditResults.Protection, _ tasks: [AuditResults.Task]) -> String? {
        guard let cost = protection.cost else { return nil }
        var parts = ["\(Figure.seconds(cost.seconds)) beside \(Figure.seconds(cost.copySeconds)) of copying"]
        parts.append("outputs change by \(Figure.power(cost.outputChange))")
        if let task = tasks.first, let alone = protection.alone.accuracies.first {
            parts.append("accuracy alone is \(Figure.share(alone)) of \(Figure.share(task.accuracy))")
        }
        return "It costs: " + parts.joined(separator: "; ") + "."
    }
}
