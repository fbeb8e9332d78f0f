/// The best candidate of every attack with every merge, the largest utility first; failures last.
package struct CandidateTable {
    package let standing: Standing
    package let tasks: [AuditResults.Task]

    package var markup: Markup {
        let names = ["attack", "merge", "coefficients", "utility", "over no merge"]
        let columns = names + tasks.flatMap { ["accuracy on " + $0.name, "loss on " + $0.name] }
        let ordered = standing.outcomes.enumerated().sorted { a, b in
            let (one, other) = (rank(a.element), rank(b.element))
            return one != other ? one > other : a.offset < b.offset
        }
        return .table(
            "Best candidates against \(standing.name)", head: .columns(columns, texts: 2),
            body: "<tbody>\(ordered.map { row($0.element) })</tbody>")
    }

    private func rank(_ outcome: Standing.Outcome) -> Double {
        outcome.best.map { $0.scores.utility.isFinite ? $0.scores.utility : -.greatestFiniteMagnitude } ?? -.infinity
    }

    private func row(_ outcome: Standing.Outcome) -> Markup {
        let names: [Markup] = [.rowHead(outcome.attack), "<td>\(Markup.name(outcome.merge ?? Figure.missing))</td>"]
        guard let best = outcome.best else {
            let reason = outcome.failure.map { "failed: " + $0 } ?? "no candidate"
            return .row(names + ["<td colspan=\"\(3 + 2 * tasks.count)\" class=\"failed\">\(reason)</td>"])
        }
        let scores = tasks.indices.flatMap { task -> [Markup] in
            [
                .number(
                    task < best.scores.accuracies.count ? Figure.share(best.scores.accuracies[task]) : Figure.missing),
                .number(task < best.scores.losses.count ? Figure.plain(best.scores.losses[task]) : Figure.missing),
            ]
        }
        let utility = best.scores.utility
        return .row(
            names + [
                .number(Figure.coefficients(best) ?? Figure.missing), .number(Figure.share(utility)),
                .number(Figure.difference(standing.advantage(of: utility))),
            ] + scores)
    }
}
