import Auditing
import Testing

/// Colours, axes, places of labels and the spelling of numbers.
@Suite struct ReportDrawingTests {
    @Test func contrastAndLightnessAreTheStandards() {
        #expect(abs(Color.black.contrast(with: .white) - 21) < 1e-9)
        // The grey that just passes on white, as WCAG's own examples have it.
        #expect(abs(Color(0x767676).contrast(with: .white) - 4.54) < 0.005)
        let red = Color(0xff0000).perceived
        #expect(abs(red.0 - 0.62796) < 1e-4 && abs(red.1 - 0.22486) < 1e-4 && abs(red.2 - 0.12585) < 1e-4)
        #expect(Color(0x1f77b4).hex == "#1f77b4")
        for share in [0.0, 1.0] {
            let mixed = Color(0x1f77b4).mixed(share, of: Color(0xff7f0e))
            #expect(mixed.hex == (share == 0 ? "#1f77b4" : "#ff7f0e"))
        }
    }

    @Test func allTextAndAllLinesCanBeSeen() {
        for palette in [Palette.light, .dark] {
            for ground in [palette.paper, palette.panel] {
                for text in [palette.ink, palette.muted, palette.link, palette.through, palette.stopped]
                    + palette.series
                {
                    #expect(text.contrast(with: ground) >= 4.5, "\(text.hex) on \(ground.hex)")
                }
            }
            for color in palette.heat { #expect(color.contrast(with: color.reading) >= 4.5, "\(color.hex)") }
            #expect(palette.heat.count == Palette.steps)
        }
    }

    /// Neighbours of the heat map are equally far apart, and get lighter or darker all the way, so that no hue need be told.
    @Test func theHeatMapIsEven() {
        for palette in [Palette.light, .dark] {
            let places = palette.heat.map(\.perceived)
            let lightness = places.map(\.0)
            #expect(lightness == lightness.sorted() || lightness == lightness.sorted(by: >))
            let steps = zip(palette.heat, palette.heat.dropFirst()).map { $0.distance(to: $1) }
            let most = steps.max() ?? 0
            // One step goes round the corner.
            #expect(steps.count { $0 > 0.97 * most } >= steps.count - 1 && steps.allSatisfy { $0 > 0.6 * most })
            #expect(abs((lightness.last ?? 0) - (lightness.first ?? 0)) > 0.3)
        }
    }

    @Test func axesHoldTheirValuesBetweenRoundTicks() {
        let cases: [[Double]] = [
            [0.31, 0.707], [0, 1], [0.5], [-3, 12.5], [1e-9, 3e-9], [0, 0], [1e20, 3e20], [5, 5 + 1e-12], [],
        ]
        for values in cases {
            let axis = Axis(values, places: (0, 100))
            #expect(values.allSatisfy { (-1e-6...100 + 1e-6).contains(axis.place($0)) }, "\(values)")
            #expect((2...11).contains(axis.ticks.count), "\(values)")
            #expect(
                abs(axis.place(axis.bounds.lowerBound)) < 1e-9 && abs(axis.place(axis.bounds.upperBound) - 100) < 1e-9)
            for tick in axis.ticks { #expect((-0.01...100.01).contains(axis.place(tick)), "\(values)") }
        }
        #expect(Axis([0.31, 0.707], places: (0, 1)).ticks.map(Figure.tick) == [".3", ".4", ".5", ".6", ".7", ".8"])
    }

    @Test func labelsDoNotOverlap() {
        let cases: [[Double]] = [[10, 11, 12, 13, 90], [1, 1, 1], [95, 96, 97, 98], [], [50]]
        for places in cases {
            let apart = LineChart.apart(places, by: 13, in: 0...100)
            for (one, next) in zip(apart, apart.dropFirst()) { #expect(next - one >= 13 - 1e-9) }
            #expect(apart.allSatisfy { $0 <= 100 } && apart.count == places.count)
        }
        #expect(LineChart.apart([10, 40, 80], by: 13, in: 0...100) == [10, 40, 80])
    }

    @Test func numbersAreWrittenShortAndTrue() {
        #expect(
            [0.7074, 0, 1, -0.0312, -0.0001, .nan].map { Figure.share($0) } == [
                ".707", ".000", "1.000", "−.031", ".000", "–",
            ])
        #expect([0.18, -0.18, 0, 0.0001].map { Figure.difference($0) } == ["+.180", "−.180", ".000", ".000"])
        #expect(
            [0.184, 0.0049, 0.00004, 1.2, 1e-9].map(Figure.amount) == [".18", ".005", ".00004", "1.20", "1.0e−09"])
        #expect([0, 1.34e-7, -2].map(Figure.power) == ["0", "1.3e−07", "−2.0e+00"])
        #expect([0.5, 1, 1.23456, -0.25, 1e9].map(Figure.plain) == ["0.5", "1", "1.235", "−0.25", "1e+09"])
        #expect([0.88, 12, 5000].map(Figure.seconds) == ["0.88 s", "12 s", "83 min"])
        #expect(Figure.list([]) == "" && Figure.list(["a"]) == "a" && Figure.list(["a", "b", "c"]) == "a, b and c")
        #expect(Figure.short("coupled, task_arithmetic") == "coupled, task…")
    }

    @Test func onlyLiteralsAreMarkup() {
        let text = "<b title=\"x\">'&'</b>\u{1}\u{FFFF}"
        #expect(
            ("<p>\(text)</p>" as Markup).source
                == "<p>&lt;b title=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;\\u{1}\u{FFFD}</p>")
        let bold: Markup = "<b>\("a<b")</b>"
        #expect(("<p>\(bold)\([bold, bold])</p>" as Markup).source == "<p><b>a&lt;b</b><b>a&lt;b</b><b>a&lt;b</b></p>")
        #expect(Markup.name("mergelock+a&b").source == "mergelock+<wbr/>a&amp;b")
        #expect(Markup.name(String(repeating: "x", count: 17)).source == "xxxxxxxxxxxxxxxx<wbr/>x")
    }
}
