import Auditing
import Testing

/// Cells hold the best utilities, as numbers and as colours.
@Suite struct ReportHeatMapTests {
    /// By looking at every candidate, one after the other.
    private static func best(_ protection: AuditResults.Protection, _ attack: String?, _ merge: String?) -> Double? {
        var best: Double?
        for one in protection.attacks where attack.map({ $0 == one.name }) ?? true {
            for other in one.merges where merge.map({ $0 == other.name }) ?? !other.isPerTask {
                for candidate in other.candidates { best = max(best ?? -.infinity, candidate.scores.utility) }
            }
        }
        return best
    }

    @Test func cellsHoldTheBestUtilities() {
        for (name, sample) in ReportSamples.all {
            let standings = Standing.ranked(sample.results)
            let scale = HeatMap.scale(of: standings)
            for column in [HeatMap.Column.attack, .merge] {
                let map = HeatMap(standings, by: column, scale: scale, caption: "")
                for (row, standing) in zip(map.rows, standings) {
                    #expect(row.standing.name == standing.name)
                    for (cell, title) in zip(row.cells, map.columns) {
                        let expected = Self.best(
                            standing.protection, column == .attack ? title : nil, column == .merge ? title : nil)
                        #expect(cell.best?.utility == expected, "\(name): \(standing.name), \(title)")
                        if let expected {
                            #expect(expected > scale.lowerBound - 1e-9 && expected < scale.upperBound + 1e-9)
                        }
                    }
                }
                #expect(map.rows.count == standings.count)
            }
        }
    }

    @Test func theStrongestColumnsComeFirst() {
        let standings = Standing.ranked(ReportSamples().results)
        let map = HeatMap(standings, by: .attack, scale: 0...1, caption: "")
        #expect(map.columns.first == "coupled" && map.columns.last == "none")
        let most = map.columns.indices.map { column in
            map.rows.filter { !$0.standing.isReference }.compactMap { $0.cells[column].best?.utility }.max() ?? 0
        }
        #expect(most == most.sorted(by: >))
    }

    /// Larger utilities never have an earlier colour, and the ends of the scale have the first and the last.
    @Test func coloursFollowUtilities() {
        let map = HeatMap([], by: .attack, scale: 0.2...0.8, caption: "")
        let steps = (0...100).map { map.step(Double($0) / 100) }
        #expect(steps == steps.sorted() && Set(steps).count == Palette.steps)
        #expect(map.step(0.2) == 0 && map.step(0.8) == Palette.steps - 1 && map.step(0.5) == 10)
        #expect(map.step(-.infinity) == 0 && map.step(.nan) == 0 && map.step(7) == Palette.steps - 1)
    }

    /// What a reader sees in the page's cells.
    @Test func thePageShowsNumbersAndColours() throws {
        let results = ReportSamples().results
        let standings = Standing.ranked(results)
        let page = try ReportPage(AuditReport(results).html).root
        let tables = page.all("table").filter { $0.attributes["class"] == "heat" }
        #expect(tables.count == 2)
        for (table, column) in zip(tables, [HeatMap.Column.attack, .merge]) {
            let map = HeatMap(standings, by: column, scale: HeatMap.scale(of: standings), caption: "")
            let names = table.all("th").filter { $0.attributes["scope"] == "col" }.map(\.words)
            #expect(names == ["protection", "needs no merge"] + map.columns)
            let rows = table.all("tbody").flatMap { $0.all("tr") }
            #expect(rows.count == map.rows.count)
            for (shown, row) in zip(rows, map.rows) {
                let cells = shown.all("td").dropFirst()
                for (shown, cell) in zip(cells, row.cells) {
                    let utility = try #require(cell.best?.utility)
                    let advantage = Figure.difference(utility - row.standing.protection.baseline.utility)
                    #expect(shown.words == "\(Figure.share(utility)) \(advantage)")
                    #expect(shown.attributes["class"] == "h\(map.step(utility))")
                }
                #expect(cells.count == row.cells.count)
            }
        }
    }

    /// Paper has room for eight columns: more stand in several tables, each with all protections and what needs no merge.
    @Test(arguments: [8, 9, 20]) func manyColumnsStandInSeveralTables(count: Int) throws {
        var sample = ReportSamples()
        sample.merges = (0..<count).map { "merge \($0)" }
        let results = sample.results
        let map = HeatMap(Standing.ranked(results), by: .merge, scale: 0...1, caption: "")
        let page = try ReportPage(AuditReport(results).html).root
        let tables = page.all("table").filter { $0.attributes["class"] == "heat" }.dropFirst()
        #expect(tables.count == (count + 7) / 8)
        var shown: [String] = []
        var cells = [[String]](repeating: [], count: map.rows.count)
        for table in tables {
            let names = table.all("th").filter { $0.attributes["scope"] == "col" }.map(\.words)
            #expect(names.count <= 10 && names.prefix(2) == ["protection", "needs no merge"])
            shown += names.dropFirst(2)
            let rows = table.all("tbody").flatMap { $0.all("tr") }
            #expect(rows.count == map.rows.count)
            for (place, row) in rows.enumerated() { cells[place] += row.all("td").dropFirst().map(\.words) }
        }
        #expect(shown == map.columns)
        for (row, cells) in zip(map.rows, cells) {
            #expect(
                cells.map { $0.prefix { $0 != " " } } == row.cells.map { Figure.share($0.best?.utility ?? .nan)[...] })
        }
    }

    @Test func cellsSayWhatFailed() throws {
        var sample = ReportSamples()
        sample.failures = ["aga": "too little memory", "karcher": "two models at least"]
        let page = try ReportPage(AuditReport(sample.results).html).root
        let failed = page.all("td").filter { $0.attributes["class"] == "failed" }.map(\.words)
        #expect(failed.count { $0 == "failed too little memory" } == 4)
        #expect(failed.count { $0 == "failed two models at least" } == 4)
        #expect(failed.count { $0 == "failed: too little memory" } == 4)
        // Four protections, four attacks that work.
        #expect(failed.count { $0 == "failed: two models at least" } == 16)
    }
}
