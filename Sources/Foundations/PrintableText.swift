/// Text out of files and arguments in a form that is safe to show: it cannot move a terminal's cursor, reorder or hide what stands
/// beside it, or pass for a line of ours.
public enum PrintableText {
    /// Characters of a line that are shown whole; of longer ones the middle is left out.
    private static let longest = 2000

    /// One line: whatever is not visible stands as an escape.
    public static func line(_ text: String) -> String {
        var shown = escaped(text[...])
        if shown.unicodeScalars.count > longest {
            let (start, end) = (longest * 2 / 3, longest / 3)
            shown = String(shown.unicodeScalars.prefix(start)) + " … " + String(shown.unicodeScalars.suffix(end))
        }
        return shown
    }

    /// Several lines of our own, as long as they are.
    public static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { escaped($0) }.joined(separator: "\n")
    }

    /// False for control and format characters: escape sequences, changes of direction, characters without width, and all kinds of
    /// line ends.
    static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value >= 0x20 && scalar.value != 0x7f }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    private static func escaped(_ text: Substring) -> String {
        if text.unicodeScalars.allSatisfy(isVisible) { return String(text) }
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            case _ where isVisible(scalar): shown.unicodeScalars.append(scalar)
            default: shown += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return shown
    }
}
