import Foundation

/// A colour of the page in sRGB, from 0 to 1.
package struct Color: Sendable, Equatable {
    package let red, green, blue: Double

    package init(red: Double, green: Double, blue: Double) { (self.red, self.green, self.blue) = (red, green, blue) }

    /// As in `0x1f77b4`.
    package init(_ value: UInt32) {
        func channel(_ shift: UInt32) -> Double { Double((value >> shift) & 0xff) / 255 }
        self.init(red: channel(16), green: channel(8), blue: channel(0))
    }

    package static let (black, white) = (Color(0x000000), Color(0xffffff))

    package var hex: String {
        func digits(_ channel: Double) -> String {
            String(format: "%02x", Int((min(max(channel, 0), 1) * 255).rounded()))
        }
        return "#" + digits(red) + digits(green) + digits(blue)
    }

    /// The share of light, `0.2126 R + 0.7152 G + 0.0722 B` of linear channels, as WCAG 2 defines it.
    package var luminance: Double {
        let (red, green, blue) = linear
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// WCAG's ratio `(L₁ + 0.05) / (L₂ + 0.05)`, from 1 to 21; text takes 4.5, lines take 3.
    package func contrast(with other: Color) -> Double {
        let (a, b) = (luminance, other.luminance)
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
    }

    /// Black or white, whichever is read better on it: 4.58 at the least.
    package var reading: Color { contrast(with: .black) > contrast(with: .white) ? .black : .white }

    /// How far apart they look: the distance in OKLab.
    package func distance(to other: Color) -> Double {
        let (a, b) = (perceived, other.perceived)
        let (l, m, n) = (a.0 - b.0, a.1 - b.1, a.2 - b.2)
        return (l * l + m * m + n * n).squareRoot()
    }

    /// The way from here to another colour along which equal shares look equally far apart: a straight line in OKLab.
    package func mixed(_ share: Double, of other: Color) -> Color {
        let (a, b) = (perceived, other.perceived)
        func between(_ a: Double, _ b: Double) -> Double { a + (b - a) * share }
        let (l, m, s) = Self.cones(between(a.0, b.0), between(a.1, b.1), between(a.2, b.2))
        return Color(
            red: Self.encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            green: Self.encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            blue: Self.encoded(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s))
    }

    /// Lightness and the two axes of hue in OKLab.
    package var perceived: (Double, Double, Double) {
        let (red, green, blue) = linear
        let l = cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
        let m = cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
        let s = cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
        return (
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s
        )
    }

    private static func cones(_ light: Double, _ a: Double, _ b: Double) -> (Double, Double, Double) {
        let l = light + 0.3963377774 * a + 0.2158037573 * b
        let m = light - 0.1055613458 * a - 0.0638541728 * b
        let s = light - 0.0894841775 * a - 1.2914855480 * b
        return (l * l * l, m * m * m, s * s * s)
    }

    private var linear: (Double, Double, Double) {
        func decoded(_ channel: Double) -> Double {
            channel <= 0.04045 ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4)
        }
        return (decoded(red), decoded(green), decoded(blue))
    }

    private static func encoded(_ channel: Double) -> Double {
        let value = min(max(channel, 0), 1)
        return value <= 0.0031308 ? value * 12.92 : 1.055 * pow(value, 1 / 2.4) - 0.055
    }
}
