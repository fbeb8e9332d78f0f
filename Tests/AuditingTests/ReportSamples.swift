import Auditing
import Foundation

/// Results of audits that never took place, for the report: the same on every run.
struct ReportSamples {
    var protections = ["none", "mergelock", "mergelock+params(heads: true)", "lossless"]
    var attacks = ["none", "coupled", "reverse_output", "procrustes", "aga"]
    var merges = ["linear", "task_arithmetic", "ties (density 0.2)", "dare_ties (density 0.5)", "karcher", "emr"]
    var tasks = ["section", "role"]
    var others = ["role"]
    var coefficients = [0.1, 0.3, 0.5, 0.7, 0.9]
    /// Attacks and merges that give nothing, and why.
    var failures: [String: String] = [:]
    /// Of a protection against an attack, how much of the model a merge sees: 0 is nothing, 1 is all.
    var seen: @Sendable (_ protection: String, _ attack: String) -> Double = { protection, attack in
        if protection == "none" { return 1 }
        let lock = protection.hasPrefix("mergelock+") ? 0.15 : protection.hasPrefix("mergelock") ? 0.92 : 0.4
        return attack == "none" ? 0.02 : attack == "coupled" ? lock : lock * 0.6
    }

    private static let (own, base) = (0.752, 0.31)

    var results: AuditResults {
        let experts = tasks.indices.map { Self.own + 0.024 * Double($0) }
        let measured = zip(tasks, experts).map { name, accuracy in
            AuditResults.Task(
                name: name, expert: "experts/" + name, examples: 400, unit: "examples", accuracy: accuracy,
                loss: 1 - accuracy,
                baseAccuracy: Self.base)
        }
        let singles = tasks.enumerated().map { number, name in
            AuditResults.Single(
                name: "expert " + name,
                scores: scores(tasks.indices.map { $0 == number ? experts[$0] : Self.base + 0.11 }, experts))
        }
        let least = singles.dropFirst().map(\.scores.utility).max() ?? Self.base / Self.own
        let kept = least > 0.7 ? "the base" : singles.last?.name ?? "the base"
        return AuditResults(
            base: "models/base", model: "experts/section", seed: .max, tasks: measured,
            heads: ["classifier.*", "pooler.*"],
            singles: singles, ensemble: scores(experts.map { $0 - 0.02 }, experts),
            protections: protections.map { protection($0, experts, .init(name: kept, utility: min(least, 0.7))) })
    }

    private func scores(_ accuracies: [Double], _ experts: [Double]) -> AuditResults.Scores {
        let shares = zip(accuracies, experts).map { $0 / $1 }
        return .init(
            accuracies: accuracies, losses: accuracies.map { 1.7 - 1.4 * $0 },
            utility: shares.isEmpty ? 0 : shares.reduce(0, +) / Double(shares.count))
    }

    private func protection(
        _ name: String, _ experts: [Double], _ baseline: AuditResults.Baseline
    ) -> AuditResults.Protection {
        let attacks = attacks.map { attack($0, on: name, experts) }
        let cost = AuditResults.Cost(
            seconds: 2.13, copySeconds: 0.88, outputChange: 1.3e-7,
            sameFunctionByWeights: name.contains("+") ? nil : name != "lossless")
        return .init(
            name: name, cost: name == "none" ? nil : cost, alone: scores(experts.map { $0 * 0.8 }, experts),
            displacement: name == "none" ? 0 : 1.31, baseline: baseline, attacks: attacks)
    }

    private func attack(_ name: String, on protection: String, _ experts: [Double]) -> AuditResults.Attack {
        let nothing = scores([], [])
        if let failure = failures[name] {
            return .init(
                name: name, seconds: 0, displacement: 0, alone: nothing, barriers: [], merges: [], failure: failure)
        }
        let seen = seen(protection, name)
        let alphas = (0...10).map { Double($0) / 10 }
        return .init(
            name: name, seconds: 1.5, displacement: 1.31 * (1 - seen), alone: scores(experts, experts),
            barriers: others.map { other in
                .init(
                    other: other, alphas: alphas,
                    losses: alphas.map { 0.8 - 0.2 * $0 + 4 * (1.05 - seen) * $0 * (1 - $0) }, height: 1.05 - seen)
            },
            merges: merges.enumerated().map { number, merge in
                self.merge(merge, seen * (1 - 0.015 * Double((number * 7) % 5)), experts)
            }, failure: nil)
    }

    private func merge(_ name: String, _ seen: Double, _ experts: [Double]) -> AuditResults.Merge {
        if let failure = failures[name] { return .init(name: name, isPerTask: false, candidates: [], failure: failure) }
        func candidate(_ coefficient: Double?) -> AuditResults.Candidate {
            let share = coefficient ?? 0.5
            let accuracies = experts.enumerated().map { number, expert in
                let strength = number == 0 ? share * seen : (1 - share) * (0.4 + 0.6 * seen)
                return Self.base + (expert - Self.base) * min(1, 1.75 * strength)
            }
            return .init(
                protected: coefficient, others: coefficient.map { 1 - $0 }, scores: scores(accuracies, experts))
        }
        let takesNone = name.hasPrefix("karcher") || name.hasPrefix("emr")
        return .init(
            name: name, isPerTask: name.hasPrefix("emr"),
            candidates: takesNone ? [candidate(nil)] : coefficients.map(candidate), failure: nil)
    }
}

extension ReportSamples {
    /// Signs that mean something to HTML, to XML, to a spreadsheet or to a terminal.
    static let hostile = "a<script>alert('1')</script>&amp;\"=b\"]]>\u{202e}\u{7}\n--> <i title='"

    static var all: [String: ReportSamples] {
        var failing = ReportSamples()
        failing.failures = [
            "aga": "the protected model has 7 tensors that are not in the base", "ties (density 0.2)": "no task vector",
        ]
        var hostile = ReportSamples()
        hostile.protections = ["none", Self.hostile, Self.hostile + "+" + String(repeating: "long", count: 60)]
        hostile.attacks.append(Self.hostile)
        hostile.merges.append(Self.hostile)
        hostile.tasks = [Self.hostile, "role"]
        hostile.others = [Self.hostile]
        hostile.failures = ["procrustes": Self.hostile + String(repeating: " and so on", count: 40)]
        var three = ReportSamples()
        (three.tasks, three.others) = (["section", "role", "data"], ["role", "data"])
        three.protections = ["none", "full", "mergelock+params+decoy(distance: 0.4, calibration: section.jsonl)"]
        three.attacks += ["reverse", "best", "rope", "rotation", "git_rebasin"]
        three.merges += ["slerp", "breadcrumbs_ties (density 0.9, gamma 0.01)", "model_stock", "magmax"]
        var one = ReportSamples()
        (one.tasks, one.others, one.coefficients, one.protections) = (["section"], [], [0.5], ["lossless"])
        var empty = ReportSamples()
        empty.failures = Dictionary(uniqueKeysWithValues: empty.attacks.map { ($0, "no space left on the device") })
        var bare = ReportSamples()
        (bare.tasks, bare.protections, bare.attacks, bare.merges) = ([], ["mergelock"], [], [])
        return [
            "typical": ReportSamples(), "failing": failing, "hostile": hostile, "three": three, "one": one,
            "empty": empty,
            "bare": bare,
        ]
    }
}
