/// What an audit measured as comma-separated values (RFC 4180): one row for each candidate, and for each model that needs no merge.
///
/// `kind` is `candidate`, `alone` (the published model), `baseline` (the best of what needs no merge beside that protection), `single`, `ensemble` or
/// `failure`. Numbers have all their digits; what does not apply is empty.
public struct AuditTable: Sendable {
    private let results: AuditResults

    public init(_ results: AuditResults) { self.results = results }

    /// The whole file, with a line of names first.
    public var csv: String {
        let names = ["kind", "protection", "attack", "merge", "protected_coefficient", "others_coefficient"]
        let scores = results.tasks.flatMap { ["accuracy " + $0.name, "loss " + $0.name] }
        var rows = [names + scores + ["utility", "advantage", "failure"]]
        for single in results.singles { rows.append(row("single", merge: single.name, scores: single.scores)) }
        rows.append(row("ensemble", scores: results.ensemble))
        for protection in results.protections { rows += self.rows(protection) }
        return rows.map { $0.map(Self.quoted).joined(separator: ",") + "\r\n" }.joined()
    }

    private func rows(_ protection: AuditResults.Protection) -> [[String]] {
        let name = protection.name
        let least = protection.baseline.utility
        var rows = [
            row("alone", name, scores: protection.alone, advantage: protection.alone.utility - least),
            row("baseline", name, merge: protection.baseline.name, scores: baseline(protection), advantage: 0),
        ]
        for attack in protection.attacks {
            if let failure = attack.failure { rows.append(row("failure", name, attack.name, failure: failure)) }
            for merge in attack.merges {
                if let failure = merge.failure {
                    rows.append(row("failure", name, attack.name, merge: merge.name, failure: failure))
                }
                for candidate in merge.candidates {
                    rows.append(
                        row(
                            "candidate", name, attack.name, merge: merge.name, scores: candidate.scores,
                            coefficients: [candidate.protected, candidate.others],
                            advantage: candidate.scores.utility - least))
                }
            }
        }
        return rows
    }

    /// The scores of the single model that the baseline names; its utility alone where it is none of those.
    private func baseline(_ protection: AuditResults.Protection) -> AuditResults.Scores {
        let named = results.singles.first {
            $0.name == protection.baseline.name && $0.scores.utility == protection.baseline.utility
        }
        return named?.scores ?? .init(accuracies: [], losses: [], utility: protection.baseline.utility)
    }

    private func row(
        _ kind: String, _ protection: String = "", _ attack: String = "", merge: String = "",
        scores: AuditResults.Scores? = nil, coefficients: [Double?] = [nil, nil], advantage: Double? = nil,
        failure: String = ""
    ) -> [String] {
        func value(_ number: Double?) -> String { number.map { "\($0)" } ?? "" }
        let measured = results.tasks.indices.flatMap { task in
            [scores?.accuracies, scores?.losses].map { values in
                values.map { task < $0.count ? value($0[task]) : "" } ?? ""
            }
        }
        return [kind, protection, attack, merge] + coefficients.map(value) + measured
            + [value(scores?.utility), value(advantage), failure]
    }

    /// In quotes, doubled within, where it holds a comma, a quote or a line end.
    package static func quoted(_ cell: String) -> String {
        let special: Set<Unicode.Scalar> = [",", "\"", "\r", "\n"]
        return cell.unicodeScalars.contains(where: special.contains)
            ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
    }
}
