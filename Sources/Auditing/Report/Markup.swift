import Foundations

/// A piece of a page in which no text stands unescaped.
///
/// Only literals of the source are markup: `"<td>\(name)</td>"` escapes every `String` that is put into it and takes other `Markup` as it is. No text that
/// comes in at run time can become markup, in elements or in quoted attributes. Attributes are always quoted.
package struct Markup: Sendable, Equatable, ExpressibleByStringInterpolation {
    package private(set) var source: String

    package init(stringLiteral literal: StaticString) { source = literal.description }
    package init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }

    package static func + (a: Markup, b: Markup) -> Markup { "\(a)\(b)" }

    /// `&`, `<`, `>` and both quotes as references; what is not visible or not allowed in XML as PrintableText shows it.
    package static func escaped(_ text: String) -> String {
        var shown = ""
        for scalar in PrintableText.line(text).unicodeScalars {
            switch scalar {
            case "&": shown += "&amp;"
            case "<": shown += "&lt;"
            case ">": shown += "&gt;"
            case "\"": shown += "&quot;"
            case "'": shown += "&#39;"
            // Noncharacters, which XML does not take.
            case "\u{FFFE}", "\u{FFFF}": shown += "\u{FFFD}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate(set) var source = ""

        package init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity * 2) }

        package mutating func appendLiteral(_ literal: StaticString) { source += literal.description }
        package mutating func appendInterpolation(_ text: String) { source += Markup.escaped(text) }
        package mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
        package mutating func appendInterpolation(_ parts: [Markup]) { for part in parts { source += part.source } }
        package mutating func appendInterpolation(_ number: Int) { source += "\(number)" }
        package mutating func appendInterpolation(_ color: Color) { source += color.hex }
        /// A coordinate of a drawing, in hundredths.
        package mutating func appendInterpolation(_ coordinate: Double) { source += Figure.fixed(coordinate, 2) }
    }
}

extension Markup {
    /// A name that may be long: lines may break behind the signs that join its parts, and within what is long without one.
    package static func name(_ text: String) -> Markup {
        var parts: [Markup] = []
        var part = ""
        // Since lines could break the last time.
        var run = 0
        for character in PrintableText.line(text) {
            part.append(character)
            run = character == " " ? 0 : run + 1
            guard run == 16 || "+/_,:".contains(character) && run > 2 else { continue }
            parts.append("\(part)<wbr/>")
            (part, run) = ("", 0)
        }
        return "\(parts)\(part)"
    }

    /// A table that scrolls in a container of its own, which the keyboard reaches.
    /// - Parameter caption: what it shows; it names the container.
    package static func table(_ caption: String, _ kind: Markup = "", head: Markup, body: Markup) -> Markup {
        """
        <div class="scroll" role="region" tabindex="0" aria-label="\(caption)">
        <table class="\(kind)"><caption><span>\(caption)</span></caption>
        <thead>\(head)</thead>
        \(body)
        </table></div>

        """
    }

    package static func row(_ cells: [Markup]) -> Markup { "<tr>\(cells)</tr>\n" }
    /// Heads of columns.
    /// - Parameter texts: how many columns of text come before those of numbers.
    package static func columns(_ names: [String], texts: Int = 1) -> Markup {
        row(
            names.enumerated().map { place, title in
                place < texts
                    ? "<th scope=\"col\">\(name(title))</th>" : "<th scope=\"col\" class=\"n\">\(name(title))</th>"
            })
    }
    package static func rowHead(_ text: String) -> Markup { "<th scope=\"row\">\(name(text))</th>" }
    package static func number(_ text: String) -> Markup { "<td class=\"n\">\(text)</td>" }
}
