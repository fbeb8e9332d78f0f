/// Protections by attacks, or by merges: in each cell the best utility over everything else, as a number and as a colour.
package struct HeatMap {
    package enum Column { case attack, merge }

    package struct Cell: Equatable {
        package let best: Standing.Reached?
        /// Why there is none.
        package let failure: String?
    }

    package struct Row {
        package let standing: Standing
        package let cells: [Cell]
    }

    package let caption: String
    /// Attacks or merges, the one that reaches most against any protection first.
    package let columns: [String]
    /// Protections in the order in which they were given; the reference last.
    package let rows: [Row]
    /// Utilities of the first and the last colour.
    package let scale: ClosedRange<Double>

    package init(_ standings: [Standing], by column: Column, scale: ClosedRange<Double>, caption: String) {
        (self.caption, self.scale) = (caption, scale)
        func name(_ outcome: Standing.Outcome) -> String? { column == .attack ? outcome.attack : outcome.merge }
        // An attack is judged by what gives one model, as the verdict is; each merge by itself.
        func isMeant(_ outcome: Standing.Outcome) -> Bool { column == .merge || !outcome.isPerTask }
        var names: [String] = []
        for case let name? in standings.flatMap(\.outcomes).map(name) where !names.contains(name) { names.append(name) }
        // The reference tells nothing of what gets through a protection.
        let judged = standings.contains { !$0.isReference } ? standings.filter { !$0.isReference } : standings
        func most(_ column: String) -> Double {
            Standing.best(of: judged.flatMap(\.outcomes).filter { name($0) == column && isMeant($0) })?.utility
                ?? -.infinity
        }
        let ordered = names.enumerated().map { (name: $0.element, most: most($0.element), place: -$0.offset) }
            .sorted { ($0.most, $0.place) > ($1.most, $1.place) }.map(\.name)
        columns = ordered
        rows = standings.map { standing in
            Row(
                standing: standing,
                cells: ordered.map { column in
                    let outcomes = standing.outcomes.filter { name($0) == column && isMeant($0) }
                    return Cell(
                        best: Standing.best(of: outcomes), failure: outcomes.lazy.compactMap(\.failure).first)
                })
        }
    }

    /// A range for the colours of several maps, from the least to the largest utility of any cell.
    package static func scale(of standings: [Standing]) -> ClosedRange<Double> {
        let maps = [Column.attack, .merge].map { HeatMap(standings, by: $0, scale: 0...1, caption: "") }
        let values = maps.flatMap { $0.rows.flatMap { $0.cells.compactMap { $0.best?.utility } } }
        return Axis.bounds(of: values.isEmpty ? [0, 1] : values)
    }

    /// The colour of a utility, one of `Palette.steps`.
    package func step(_ utility: Double) -> Int {
        let share = (utility - scale.lowerBound) / (scale.upperBound - scale.lowerBound)
        guard share.isFinite else { return 0 }
        return Int((min(max(share, 0), 1) * Double(Palette.steps - 1)).rounded())
    }

    /// Columns that paper has room for.
    private static let widest = 8

    package var markup: Markup {
        guard !columns.isEmpty else { return "<p>\(caption): no merge gave a result.</p>\n" }
        let count = (columns.count + Self.widest - 1) / Self.widest
        let tables = (0..<count).map { part in
            table(
                columns.count * part / count..<columns.count * (part + 1) / count,
                count == 1 ? caption : "\(caption) (\(part + 1) of \(count))")
        }
        return tables.reduce("", +) + legend
    }

    private func table(_ places: Range<Int>, _ caption: String) -> Markup {
        let head = Markup.columns(["protection", "needs no merge"] + columns[places])
        let judged = rows.filter { !$0.standing.isReference }.map { row($0, places) }
        let reference = rows.filter { $0.standing.isReference }.map { row($0, places) }
        let body: Markup = """
            <tbody>\(judged)</tbody>
            <tbody class="reference">\(reference)</tbody>
            """
        return .table(caption, "heat", head: head, body: body)
    }

    private func row(_ row: Row, _ places: Range<Int>) -> Markup {
        let baseline = row.standing.protection.baseline
        return .row(
            [
                .rowHead(row.standing.isReference ? "none (the reference)" : row.standing.name),
                "<td class=\"n\">\(Figure.share(baseline.utility))</td>",
            ] + row.cells[places].map { cell(row.standing, $0) })
    }

    private func cell(_ standing: Standing, _ cell: Cell) -> Markup {
        guard let best = cell.best else {
            guard let failure = cell.failure else { return "<td class=\"none\">not tried</td>" }
            let short = failure.count > 60 ? failure.prefix(59) + "…" : failure[...]
            return "<td class=\"failed\"><strong>failed</strong> \(String(short))</td>"
        }
        let advantage = Figure.difference(standing.advantage(of: best.utility))
        return """
            <td class="h\(step(best.utility))"><strong>\(Figure.share(best.utility))</strong> <span>\(advantage)</span></td>
            """
    }

    private var legend: Markup {
        let steps = (0..<Palette.steps).map { "<span class=\"h\($0)\"></span>" as Markup }
        return """
            <p class="legend"><span>\(Figure.share(scale.lowerBound, 2))</span><span class="ramp" aria-hidden="true">\(steps)</span>\
            <span>\(Figure.share(scale.upperBound, 2)) utility</span></p>

            """
    }
}
