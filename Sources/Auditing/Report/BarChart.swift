/// Horizontal bars, each under its name and before its number.
package struct BarChart {
    package struct Bar {
        package let name: String
        package let value: Double
        /// Whether it is what the others are held against.
        package var isStandard = false
    }

    package let id: Markup
    package let title: String
    /// What it is of, where the page says so above the drawing.
    package let subject: String
    package let valueName: String
    package let bars: [Bar]

    private static let (width, room, row) = (360.0, 58.0, 37.0)

    package var markup: Markup {
        let height = Double(bars.count) * Self.row + 4
        let values = bars.map { "\($0.name): \(Figure.plain($0.value))" }.joined(separator: "; ")
        let most = bars.map(\.value).filter(\.isFinite).max() ?? 0
        return """
            <figure>
            <figcaption>\(title)<span class="hidden">, \(subject)</span></figcaption>
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(height)" role="img" \
            aria-labelledby="\(id)-title \(id)-text">
            <title id="\(id)-title">\(title), \(subject)</title><desc id="\(id)-text">\(valueName). \(values).</desc>
            \(bars.enumerated().map { drawn($0.element, Double($0.offset) * Self.row, most) })</svg>
            <details><summary>Numbers<span class="hidden"> of \(title), \(subject)</span></summary>
            \(numbers)</details>
            </figure>

            """
    }

    private func drawn(_ bar: Bar, _ top: Double, _ most: Double) -> Markup {
        let room = Self.width - Self.room
        let length = bar.value.isFinite && most > 0 ? max(bar.value / most, 0) * room : 0
        return """
            <g class="bar \(bar.isStandard ? "standard" : "s0")">\
            <text x="0" y="\(top + 13)">\(bar.name.count <= 48 ? bar.name : bar.name.prefix(34) + "…" + bar.name.suffix(12))</text>\
            <rect class="track" x="0" y="\(top + 19)" width="\(room)" height="9" rx="1.5"/>\
            <rect x="0" y="\(top + 19)" width="\(length)" height="9" rx="1.5"/>\
            <text class="value" x="\(Self.width)" y="\(top + 28)" text-anchor="end">\(Figure.plain(bar.value))</text></g>

            """
    }

    private var numbers: Markup {
        let rows = bars.map { Markup.row([.rowHead($0.name), .number(Figure.plain($0.value))]) }
        return .table(
            "\(title), \(subject): numbers", head: .columns(["model", valueName]), body: "<tbody>\(rows)</tbody>")
    }
}
