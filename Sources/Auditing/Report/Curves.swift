import Alignment

/// The charts of one protection.
package struct Curves {
    package let standing: Standing
    package let tasks: [AuditResults.Task]
    /// All attacks of the audit, whose places give curves their colours.
    package let attacks: [String]
    /// Of the protection, in the ids of its charts.
    package let id: Markup

    private var protection: AuditResults.Protection { standing.protection }

    /// The best merge of an attack, with all its candidates.
    private struct Sweep {
        let attack, merge: String
        let utility: Double
        let candidates: [AuditResults.Candidate]
        var name: String { attack == merge ? attack : attack + ", " + merge }
    }

    private func color(_ attack: String) -> Int { attacks.firstIndex(of: attack) ?? 0 }

    /// Of each attack the best merge that gives one model, the attack that reaches most first.
    private var sweeps: [Sweep] {
        protection.attacks.compactMap { attack -> Sweep? in
            guard let best = Standing.best(of: standing.outcomes.filter { $0.attack == attack.name && !$0.isPerTask }),
                let merge = attack.merges.first(where: { $0.name == best.merge })
            else { return nil }
            return Sweep(
                attack: attack.name, merge: merge.name, utility: best.utility, candidates: merge.candidates)
        }
        .sorted { $0.utility > $1.utility }
    }

    /// Utility and each task's accuracy over the protected model's coefficient.
    package var coefficients: [LineChart] {
        let baseline = protection.baseline
        let utility = chart(
            "\(id)-utility", "Utility", [.init(name: "no merge", y: baseline.utility)]
        ) { $0.utility }
        let accuracies = tasks.enumerated().map { number, task in
            chart("\(id)-task-\(number)", "Accuracy on \(task.name)", [.init(name: "its expert", y: task.accuracy)]) {
                number < $0.accuracies.count ? $0.accuracies[number] : .nan
            }
        }
        return ([utility] + accuracies).filter { !$0.series.isEmpty }
    }

    private func chart(
        _ id: Markup, _ value: String, _ levels: [LineChart.Level], _ measure: (AuditResults.Scores) -> Double
    ) -> LineChart {
        // A merge that takes no coefficient is one level.
        let curves = sweeps.map { sweep in (sweep, Self.points(of: sweep.candidates, measure)) }
        let flat = curves.filter { $0.1.isEmpty }.compactMap { sweep, _ in
            sweep.candidates.first.map { LineChart.Level(name: sweep.name, y: measure($0.scores)) }
        }
        return LineChart(
            id: id, title: value, subject: protection.name, xName: "coefficient of the protected model", yName: value,
            series: curves.filter { !$0.1.isEmpty }.map {
                LineChart.Series(name: $0.0.name, color: color($0.0.attack), points: $0.1)
            },
            levels: levels + flat)
    }

    /// At each coefficient of the protected model the candidate whose others' coefficient gives the largest utility.
    private static func points(
        of candidates: [AuditResults.Candidate], _ measure: (AuditResults.Scores) -> Double
    ) -> [LineChart.Point] {
        var best: [Double: AuditResults.Scores] = [:]
        for candidate in candidates {
            guard let x = candidate.protected, x.isFinite else { continue }
            if let known = best[x], !(candidate.scores.utility > known.utility) { continue }
            best[x] = candidate.scores
        }
        return best.sorted { $0.key < $1.key }.map { LineChart.Point(x: $0.key, y: measure($0.value)) }
    }

    /// Mean loss on the way from the aligned model to each other, one chart for each of those.
    package var barriers: [LineChart] {
        var others: [String] = []
        for barrier in protection.attacks.flatMap(\.barriers) where !others.contains(barrier.other) {
            others.append(barrier.other)
        }
        return others.enumerated().map { number, other in
            LineChart(
                id: "\(id)-barrier-\(number)", title: "Mean loss on the way to \(other)", subject: protection.name,
                xName: "α: 0 is the published, 1 the other model", yName: "Mean loss",
                series: protection.attacks.flatMap { attack in
                    attack.barriers.filter { $0.other == other }.map { barrier in
                        LineChart.Series(
                            name: attack.name, color: color(attack.name),
                            points: zip(barrier.alphas, barrier.losses).map { LineChart.Point(x: $0, y: $1) })
                    }
                }, levels: [])
        }
    }

    /// How far the weights lie from the model's, as published and after each attack.
    package var displacement: BarChart {
        // Circuits are merged where they lie.
        let aligned = protection.attacks.filter {
            $0.failure == nil && !["none", CircuitMerger.name].contains($0.name)
        }
        return BarChart(
            id: "\(id)-displacement", title: "Displacement of the weights", subject: protection.name,
            valueName: "‖θ′ − θ‖ / ‖θ‖ to the unprotected model",
            bars: [.init(name: "as published", value: protection.displacement, isStandard: true)]
                + aligned.map { .init(name: "after \($0.name)", value: $0.displacement) })
    }
}
