/// Curves with their names at their ends, and the numbers beside them.
package struct LineChart {
    package struct Point: Equatable {
        package let x, y: Double
    }

    /// What a curve is called, and its points from left to right.
    package struct Series {
        package let name: String
        /// Of its colour, which the same thing keeps from chart to chart.
        package let color: Int
        package let points: [Point]
    }

    /// A level that curves are held against.
    package struct Level {
        package let name: String
        package let y: Double
    }

    /// Of the drawing and, with endings, of its parts: of letters and digits.
    package let id: Markup
    package let title: String
    /// What it is of, where the page says so above the drawing.
    package let subject: String
    package let xName, yName: String
    package let series: [Series]
    package let levels: [Level]
    /// Curves that are drawn; all are in the table of numbers.
    package static let most = 8

    private static let (width, height, left, right, top, bottom) = (360.0, 262.0, 38.0, 120.0, 14.0, 44.0)

    package var markup: Markup {
        """
        <figure>
        <figcaption>\(title)<span class="hidden">, \(subject)</span></figcaption>
        \(svg)
        <details><summary>Numbers<span class="hidden"> of \(title), \(subject)</span></summary>
        \(numbers)</details>
        </figure>

        """
    }

    /// What one who does not see it is told.
    private var text: String {
        let curves = series.map { series -> String in
            let known = series.points.filter { $0.y.isFinite }
            guard let first = known.first, let last = known.last else { return "\(series.name): no numbers" }
            let most = known.map(\.y).max() ?? first.y
            return "\(series.name): \(Figure.plain(first.y)) at \(Figure.plain(first.x)), "
                + "\(Figure.plain(last.y)) at \(Figure.plain(last.x)), \(Figure.plain(most)) at most"
        }
        return "\(yName) over \(xName). "
            + (curves + levels.map { "\($0.name): \(Figure.plain($0.y))" }).joined(separator: "; ")
            + "."
    }

    private var drawn: [Series] {
        Array(
            series.map {
                Series(name: $0.name, color: $0.color, points: $0.points.filter { $0.x.isFinite && $0.y.isFinite })
            }
            .filter { !$0.points.isEmpty }.prefix(Self.most))
    }

    private var svg: Markup {
        let points = drawn.flatMap(\.points)
        let known = levels.filter(\.y.isFinite)
        let x = Axis(points.map(\.x), places: (Self.left, Self.width - Self.right))
        let y = Axis(points.map(\.y) + known.map(\.y), places: (Self.height - Self.bottom, Self.top))
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(Self.height)" role="img" \
            aria-labelledby="\(id)-title \(id)-text">
            <title id="\(id)-title">\(title), \(subject)</title><desc id="\(id)-text">\(text)</desc>
            \(frame(x, y))\(known.map { level($0, x, y) })\(drawn.map { curve($0, x, y) })\(labels(x, y, known))
            </svg>
            """
    }

    private func frame(_ x: Axis, _ y: Axis) -> Markup {
        let (start, end) = (x.places.0, x.places.1)
        let rows = y.ticks.map { tick -> Markup in
            let place = y.place(tick)
            return """
                <path class="grid" d="M\(start) \(place)H\(end)"/>\
                <text class="tick" x="\(start - 6)" y="\(place + 4)" text-anchor="end">\(Figure.tick(tick))</text>

                """
        }
        let columns = x.ticks.map { tick -> Markup in
            """
            <path class="grid" d="M\(x.place(tick)) \(y.places.0)v4"/>\
            <text class="tick" x="\(x.place(tick))" y="\(y.places.0 + 17)" text-anchor="middle">\(Figure.tick(tick))</text>

            """
        }
        return """
            \(rows)\(columns)<text class="tick" x="\((start + end) / 2)" y="\(Self.height - 8)" text-anchor="middle">\(xName)</text>

            """
    }

    private func level(_ level: Level, _ x: Axis, _ y: Axis) -> Markup {
        "<path class=\"level\" d=\"M\(x.places.0) \(y.place(level.y))H\(x.places.1)\"/>\n"
    }

    private func curve(_ series: Series, _ x: Axis, _ y: Axis) -> Markup {
        let places = series.points.map { Point(x: x.place($0.x), y: y.place($0.y)) }
        let path = places.enumerated().map { "\($0.offset == 0 ? "M" : "L")\($0.element.x) \($0.element.y)" as Markup }
        let marks = places.map { "<circle cx=\"\($0.x)\" cy=\"\($0.y)\" r=\"2.6\"/>" as Markup }
        return
            "<g class=\"curve s\(series.color % 8) d\((series.color + series.color / 8) % 4)\"><path d=\"\(path)\"/>\(marks)</g>\n"
    }

    /// Names to the right of what they name, moved apart where they would overlap.
    private func labels(_ x: Axis, _ y: Axis, _ known: [Level]) -> Markup {
        struct Label {
            let name: String
            /// Of the curve; nil of a level.
            let color: Int?
            let end: Point
            var place: Double
        }
        var labels = drawn.compactMap { series in
            series.points.last.map { last in
                Label(
                    name: series.name, color: series.color % 8, end: Point(x: x.place(last.x), y: y.place(last.y)),
                    place: y.place(last.y))
            }
        }
        labels += known.map {
            Label(name: $0.name, color: nil, end: Point(x: x.places.1, y: y.place($0.y)), place: y.place($0.y))
        }
        labels.sort { $0.place < $1.place }
        let places = Self.apart(labels.map(\.place), by: 13.5, in: Self.top...(Self.height - Self.bottom + 6))
        for number in labels.indices { labels[number].place = places[number] }
        let start = x.places.1 + 14
        return """
            \(labels.map { label -> Markup in
                let style: Markup = label.color.map { "s\($0)" } ?? "standard"
                return """
                    <g class="label \(style)"><path class="leader" d="M\(label.end.x + 4) \(label.end.y)L\(start - 3) \(label.place)"/>\
                    <text x="\(start)" y="\(label.place + 4)">\(Figure.short(label.name))</text></g>

                    """
            })
            """
    }

    /// Places in their order, at least `gap` apart and as near to where they were as fits.
    package static func apart(_ places: [Double], by gap: Double, in range: ClosedRange<Double>) -> [Double] {
        var places = places
        for number in places.indices.dropFirst() { places[number] = max(places[number], places[number - 1] + gap) }
        guard let last = places.last, last > range.upperBound else { return places }
        var limit = range.upperBound
        for number in places.indices.reversed() {
            places[number] = min(places[number], limit)
            limit = places[number] - gap
        }
        return places
    }

    private var numbers: Markup {
        let places = Set(series.flatMap { $0.points.map(\.x) }).sorted()
        let rows = places.map { x -> Markup in
            .row(
                [.rowHead(Figure.plain(x))]
                    + series.map { series in
                        .number(series.points.first { $0.x == x }.map { Figure.plain($0.y) } ?? Figure.missing)
                    })
        }
        let rest =
            levels.isEmpty
            ? "" : " Levels: " + levels.map { "\($0.name) \(Figure.plain($0.y))" }.joined(separator: ", ") + "."
        return .table(
            "\(title), \(subject): numbers.\(rest)", head: .columns([xName] + series.map(\.name)),
            body: "<tbody>\(rows)</tbody>")
    }
}
