import Foundations
import Testing

@Suite struct YAMLTests {
    private func fault(_ text: String) -> YAMLFault? {
        do {
            _ = try YAMLValue(parsing: text)
            return nil
        } catch { return error }
    }

    @Test func valuesAreWhatTheySay() throws {
        let text = """
            a: 1.5
            b: [x, "2", 3]
            c:
              d: true
              e: ~
              f: 'no'
            """
        guard case .map(let members, 1) = try YAMLValue(parsing: text) else { throw Missing() }
        #expect(members.map(\.key) == ["a", "b", "c"] && members.map(\.line) == [1, 2, 3])
        #expect(members[0].value.number == 1.5 && members[0].value.text == "1.5" && members[0].value.bool == nil)
        guard case .list(let list, _) = members[1].value, case .map(let inner, _) = members[2].value else {
            throw Missing()
        }
        #expect(list.map(\.text) == ["x", "2", "3"] && list.map(\.number) == [nil, nil, 3])
        #expect(inner[0].value.bool == true && inner[1].value.isNull && inner[1].value.text == nil)
        #expect(inner[2].value.text == "no" && inner[2].value.bool == nil && inner.map(\.line) == [4, 5, 6])
    }

    @Test func whatIsAmbiguousOrEndlessIsRefused() {
        #expect(fault("a: 1\nb: 2\na: 3")?.reason.contains("twice") == true)
        #expect(fault("a: [1, 2")?.line != nil)
        #expect(fault("") == YAMLFault(line: 1, reason: "the document is empty"))
        #expect(fault("[1, 2]: 3")?.reason.contains("expected a word") == true)
        #expect(fault("a: *nowhere") != nil)
        // Nine levels of nine aliases each.
        var laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<9 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            laughs += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(fault(laughs)?.reason.contains("more values") == true)
        #expect(fault(String(repeating: "[", count: 200) + String(repeating: "]", count: 200)) != nil)
    }

    private struct Missing: Error {}
}
