/// The colours of the page under one preference of the reader's.
///
/// Text has a contrast of 4.5 or more on everything that it stands on, curves and bars of 3 or more.
package struct Palette: Sendable {
    /// The page, and what lies on it: heads of tables, bars without content.
    package let paper, panel: Color
    /// Text, and text that stands back.
    package let ink, muted: Color
    /// Hairlines, which carry no meaning.
    package let hairline: Color
    package let link: Color
    /// Of protections that merges get through, and of those that stop what was tried.
    package let through, stopped: Color
    /// Curves, told apart with any kind of colour vision, and by their dashes and labels besides.
    package let series: [Color]
    /// The heat map: the least utility, one between, the largest.
    package let (cold, warm, hot): (Color, Color, Color)

    /// Steps of the heat map.
    package static let steps = 21

    /// The colours of the heat map, at even distances in OKLab.
    package var heat: [Color] {
        let (first, second) = (cold.distance(to: warm), warm.distance(to: hot))
        return (0..<Self.steps).map { step in
            let way = Double(step) / Double(Self.steps - 1) * (first + second)
            return way <= first ? cold.mixed(way / first, of: warm) : warm.mixed((way - first) / second, of: hot)
        }
    }

    package static let light = Palette(
        paper: Color(0xfdfcfa), panel: Color(0xf4f2ee), ink: Color(0x1b1d21), muted: Color(0x5a5e66),
        hairline: Color(0xdcd8d0), link: Color(0x1f5fa8), through: Color(0xa8410a), stopped: Color(0x1f5fa8),
        series: [
            Color(0x1f5fa8), Color(0xb04a00), Color(0x00735a), Color(0x8f3d85), Color(0x7a6200), Color(0x00708f),
            Color(0xa8324e), Color(0x4d5560),
        ], cold: Color(0xc9e0f7), warm: Color(0xefc894), hot: Color(0xb8480a))

    package static let dark = Palette(
        paper: Color(0x15171b), panel: Color(0x1e2127), ink: Color(0xe9e7e2), muted: Color(0xa6abb3),
        hairline: Color(0x343941), link: Color(0x8bbcf0), through: Color(0xf5a25d), stopped: Color(0x8bbcf0),
        series: [
            Color(0x7db3ee), Color(0xf09a52), Color(0x4fc9a6), Color(0xda93d1), Color(0xd3b84c), Color(0x5cc6e0),
            Color(0xf28ba3), Color(0xb4bac3),
        ], cold: Color(0x173a61), warm: Color(0x805a45), hot: Color(0xffa14d))

    private var named: [(String, Color)] {
        [
            ("paper", paper), ("panel", panel), ("ink", ink), ("muted", muted), ("hairline", hairline), ("link", link),
            ("through", through), ("stopped", stopped),
        ]
    }

    /// Rules that give all colours their values.
    package var rules: Markup {
        let values = named.map { "--\($0.0):\($0.1);" as Markup }
        let curves = series.enumerated().map { ".s\($0.offset){color:\($0.element)}\n" as Markup }
        let cells = heat.enumerated().map {
            ".h\($0.offset){background:\($0.element);color:\($0.element.reading)}\n" as Markup
        }
        return ":root{\(values)}\n\(curves)\(cells)"
    }

    /// Of both preferences; paper is light.
    package static var rules: Markup {
        "\(light.rules)@media screen and (prefers-color-scheme:dark){\n\(dark.rules)}\n"
    }
}
