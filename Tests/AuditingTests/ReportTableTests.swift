import Auditing
import Testing

/// The file of comma-separated values holds every candidate and every baseline, with all digits.
@Suite struct ReportTableTests {
    /// RFC 4180, one sign after the other.
    private static func parse(_ text: String) -> [[String]]? {
        var (rows, row, cell): ([[String]], [String], String) = ([], [], "")
        var signs = Array(text.unicodeScalars)[...]
        var isQuoted = false
        while let sign = signs.popFirst() {
            switch (sign, isQuoted) {
            case ("\"", true) where signs.first == "\"":
                signs.removeFirst()
                cell.unicodeScalars.append("\"")
            case ("\"", true):
                isQuoted = false
                guard [",", "\r"].contains(signs.first) else { return nil }
            case ("\"", false):
                guard cell.isEmpty else { return nil }
                isQuoted = true
            case (",", false):
                row.append(cell)
                cell = ""
            case ("\r", false):
                guard signs.popFirst() == "\n" else { return nil }
                rows.append(row + [cell])
                (row, cell) = ([], "")
            case ("\n", false): return nil
            default: cell.unicodeScalars.append(sign)
            }
        }
        return isQuoted || !row.isEmpty || !cell.isEmpty ? nil : rows
    }

    @Test func everyCandidateIsThereWithAllDigits() throws {
        for (name, sample) in ReportSamples.all {
            let results = sample.results
            let rows = try #require(Self.parse(AuditTable(results).csv), "\(name)")
            let head = try #require(rows.first)
            let scores = results.tasks.flatMap { ["accuracy " + $0.name, "loss " + $0.name] }
            #expect(
                head == ["kind", "protection", "attack", "merge", "protected_coefficient", "others_coefficient"]
                    + scores
                    + ["utility", "advantage", "failure"])
            #expect(rows.allSatisfy { $0.count == head.count }, "\(name)")
            var candidates = rows.filter { $0[0] == "candidate" }[...]
            for protection in results.protections {
                for attack in protection.attacks {
                    for merge in attack.merges {
                        for candidate in merge.candidates {
                            let next = candidates.popFirst()
                            let row = try #require(next)
                            #expect(Array(row[1...3]) == [protection.name, attack.name, merge.name])
                            #expect(Double(row[4]) == candidate.protected && Double(row[5]) == candidate.others)
                            let tasks = results.tasks.indices
                            #expect(tasks.map { Double(row[6 + 2 * $0]) } == candidate.scores.accuracies)
                            #expect(tasks.map { Double(row[7 + 2 * $0]) } == candidate.scores.losses)
                            let utility = candidate.scores.utility
                            #expect(Double(row[head.count - 3]) == utility)
                            #expect(Double(row[head.count - 2]) == utility - protection.baseline.utility)
                        }
                    }
                }
            }
            #expect(candidates.isEmpty)
        }
    }

    @Test func whatNeedsNoMergeIsThere() throws {
        let results = ReportSamples().results
        let rows = try #require(Self.parse(AuditTable(results).csv))
        #expect(rows.filter { $0[0] == "baseline" }.map { $0[1] } == results.protections.map(\.name))
        #expect(rows.filter { $0[0] == "alone" }.map { Double($0[10]) } == results.protections.map(\.alone.utility))
        #expect(rows.filter { $0[0] == "single" }.map { $0[3] } == results.singles.map(\.name))
        #expect(rows.filter { $0[0] == "ensemble" }.map { Double($0[10]) } == [results.ensemble.utility])
        let baseline = try #require(rows.first { $0[0] == "baseline" })
        #expect(Double(baseline[10]) == results.protections[0].baseline.utility && baseline[11] == "0.0")
    }

    @Test func failuresAreThere() throws {
        let sample = try #require(ReportSamples.all["hostile"])
        let rows = try #require(Self.parse(AuditTable(sample.results).csv))
        let failures = rows.filter { $0[0] == "failure" }
        #expect(
            failures.count == 3
                && failures.allSatisfy { $0.last == sample.failures["procrustes"] && $0[2] == "procrustes" })
    }

    @Test func cellsAreQuotedWhereTheyMustBe() {
        #expect(AuditTable.quoted("ties (density 0.2)") == "ties (density 0.2)")
        #expect(AuditTable.quoted("a,b") == "\"a,b\"" && AuditTable.quoted("a\"b") == "\"a\"\"b\"")
        #expect(AuditTable.quoted("a\r\nb") == "\"a\r\nb\"" && AuditTable.quoted("a\nb") == "\"a\nb\"")
    }
}
