/// What publishing each protection costs.
package struct CostTable {
    package let standings: [Standing]
    package let tasks: [AuditResults.Task]

    package var markup: Markup {
        let measured = standings.filter { $0.protection.cost != nil }
        guard !measured.isEmpty else { return "<p>No cost was measured.</p>\n" }
        let names = ["protection", "same function by weights", "protecting", "copying", "change of outputs"]
        return .table(
            "Cost of each protection, beside copying the same files",
            head: .columns(names + tasks.map { "accuracy alone on " + $0.name }, texts: 2),
            body: "<tbody>\(measured.map(row))</tbody>")
    }

    private func row(_ standing: Standing) -> Markup {
        guard let cost = standing.protection.cost else { return "" }
        let alone = standing.protection.alone.accuracies
        let accuracies = tasks.indices.map { task -> Markup in
            .number(task < alone.count ? Figure.share(alone[task]) : Figure.missing)
        }
        return .row(
            [
                .rowHead(standing.name), "<td>\(Self.words(cost.sameFunctionByWeights))</td>",
                .number(Figure.seconds(cost.seconds)), .number(Figure.seconds(cost.copySeconds)),
                .number(Figure.power(cost.outputChange)),
            ] + accuracies)
    }

    private static func words(_ proved: Bool?) -> String {
        switch proved {
        case true?: "proved"
        case false?: "not proved"
        case nil: "no lock acts"
        }
    }
}
