/// How an audit was measured: its tasks, what needs no merge, and what a merge can hope for.
package struct MeasuredSection {
    package let results: AuditResults

    package var markup: Markup {
        """
        <p>Every published model was attacked, every attacked model was merged with the other experts by every method and with every coefficient,
        and every merge was scored on all tasks. Utility is the mean over the tasks of accuracy divided by the accuracy of the task’s own expert: 1 is as
        good as every expert on its own task. Advantage is the best merge’s utility less that of everything that needs no merge: the published model alone, the other experts
        alone, or the base with a share of their task vectors.</p>
        <p>Coefficients were picked with the labels of the very examples that are scored. An attacker without these labels gets this much or less.</p>
        <dl class="facts">
        <dt>Model</dt><dd>\(Markup.name(results.model))</dd>
        <dt>Base</dt><dd>\(Markup.name(results.base))</dd>
        <dt>Seed</dt><dd>\(String(results.seed))</dd>
        <dt>Heads, kept from each task’s own expert and never merged</dt><dd>\(heads)</dd>
        </dl>
        \(tasks)\(singles)
        """
    }

    private var heads: Markup {
        guard !results.heads.isEmpty else { return "none" }
        return "<ul class=\"names\">\(results.heads.map { "<li>\(Markup.name($0))</li>" as Markup })</ul>"
    }

    private var tasks: Markup {
        let rows = results.tasks.map { task -> Markup in
            .row([
                .rowHead(task.name), "<td>\(Markup.name(task.expert))</td>", .number("\(task.examples) \(task.unit)"),
                .number(Figure.share(task.accuracy)), .number(Figure.plain(task.loss)),
                .number(Figure.share(task.baseAccuracy)),
            ])
        }
        return .table(
            "Tasks; the model’s own comes first",
            head: .columns(
                ["task", "expert", "scored on", "expert’s accuracy", "expert’s loss", "base’s accuracy"], texts: 2),
            body: "<tbody>\(rows)</tbody>")
    }

    private var singles: Markup {
        let rows =
            results.singles.map { scores($0.name, $0.scores) }
            + [scores("ensemble: mean of the experts’ class probabilities", results.ensemble)]
        return .table(
            "What needs no merge, and the ensemble, which a merge can hope for",
            head: .columns(["model", "utility"] + results.tasks.map { "accuracy on " + $0.name }),
            body: "<tbody>\(rows)</tbody>")
    }

    private func scores(_ name: String, _ scores: AuditResults.Scores) -> Markup {
        let accuracies = results.tasks.indices.map { task -> Markup in
            .number(task < scores.accuracies.count ? Figure.share(scores.accuracies[task]) : Figure.missing)
        }
        return .row([.rowHead(name), .number(Figure.share(scores.utility))] + accuracies)
    }
}
