import Foundations
import Testing

/// What a terminal may be shown.
@Suite struct PrintableTextTests {
    @Test(arguments: [
        ("plain ä 漢字 🙂", "plain ä 漢字 🙂"), ("a\nb\r\tc", "a\\nb\\r\\tc"), ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("\u{7f}\u{9b}\u{0}", "\\u{7f}\\u{9b}\\u{0}"), ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
        ("\u{2066}\u{2069}\u{200b}\u{feff}\u{ad}", "\\u{2066}\\u{2069}\\u{200b}\\u{feff}\\u{ad}"),
        ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"), ("\u{e0041}\u{3164}", "\\u{e0041}\\u{3164}"), ("", ""),
    ])
    func hiddenCharactersAreEscaped(text: String, shown: String) {
        #expect(PrintableText.line(text) == shown)
    }

    @Test func longLinesLoseTheirMiddle() {
        let line = PrintableText.line("tensor " + String(repeating: "x", count: 1_000_000) + ": what to do next")
        #expect(line.count < 2100 && line.hasPrefix("tensor x") && line.hasSuffix("x: what to do next"))
        #expect(PrintableText.line(String(repeating: "\u{1b}", count: 1_000_000)).count < 2100)
    }

    @Test func linesOfOurOwnStay() {
        #expect(PrintableText.lines("a\n\u{1b}b\n\n") == "a\n\\u{1b}b\n\n")
        let long = String(repeating: "1,", count: 5000)
        #expect(PrintableText.lines(long) == long)
    }

    /// JSON has escapes of its own, which read back as what they stand for.
    @Test func jsonHidesNothing() throws {
        let text = "\u{1b}\u{7f}\u{9b}\u{202e}\u{200b}\u{e0041}\"\\\n"
        let written = JSONValue.object([text: .string(text)]).serialized()
        #expect(written.unicodeScalars.allSatisfy { $0.isASCII && $0.value >= 0x20 && $0.value != 0x7f })
        #expect(try JSONDocument(parsing: Array(written.utf8)).root[text]?.string == text)
    }
}
