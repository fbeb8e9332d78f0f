import Architectures
import Checkpoints
import Foundations
import TestSupport
import Testing

/// The page "Adding a family" explains every key of a description, and none that nothing reads.
@Suite struct DescriptionKeyTests {
    /// A section of the page: the objects that it is about, and its keys with what is said of them.
    private struct Section {
        let title: String
        var objects: Set<String> = []
        var keys: [String: String] = [:]
    }

    private let sections: [Section]

    init() throws {
        let path = Fixtures.root + "/../../Sources/MergeproofKit/MergeproofKit.docc/AddingAFamily.md"
        var sections: [Section] = []
        for line in String(decoding: try Files.read(path), as: UTF8.self).split(separator: "\n") {
            if line.hasPrefix("### ") {
                sections.append(Section(title: String(line.dropFirst(4))))
            } else if line.hasPrefix("Stands at "), !sections.isEmpty {
                sections[sections.count - 1].objects.formUnion(Self.code(line))
            } else if line.hasPrefix("| `"), let key = Self.code(line).first, !sections.isEmpty {
                sections[sections.count - 1].keys[key] = String(line)
            }
        }
        self.sections = sections.filter { !$0.objects.isEmpty }
    }

    /// What stands between backticks.
    private static func code(_ line: Substring) -> [String] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
            .map { String($0.element) }
    }

    @Test func everyKeyThatIsReadIsExplained() throws {
        let read = try DescriptionKeys.all().keys
        #expect(read.count > 40)
        for (object, keys) in read {
            let about = sections.filter { $0.objects.contains(object) }
            let explained = Set(about.flatMap(\.keys.keys))
            #expect(keys.subtracting(explained) == [], "not explained of the objects at \(object)")
        }
    }

    @Test func everyKeyThatIsExplainedIsRead() throws {
        let read = try DescriptionKeys.all().keys
        for section in sections {
            #expect(section.objects.subtracting(read.keys) == [], "\(section.title)")
            let keys = Set(section.objects.flatMap { read[$0] ?? [] })
            #expect(Set(section.keys.keys).subtracting(keys) == [], "\(section.title)")
        }
    }

    /// What no family needs is not offered.
    @Test func everyKeyThatIsExplainedIsUsed() throws {
        var used: Set<String> = []
        func note(_ value: JSONValue) {
            for item in value.array ?? [] { note(item) }
            for member in value.object?.members ?? [] {
                used.insert(member.key)
                note(member.value)
            }
        }
        for bytes in ModelDescription.embedded.values { note(try JSONDocument(parsing: bytes).root) }
        #expect(Set(sections.flatMap(\.keys.keys)).subtracting(used) == [])
    }

    /// Where a key has few words to choose from, the page has all of them.
    @Test func everyChoiceIsNamed() throws {
        let choices = try DescriptionKeys.all().choices
        #expect(Set(choices.keys).isSuperset(of: ["kind", "scope", "fusion", "layout", "pooling", "scoring", "role"]))
        for (key, names) in choices {
            let said = sections.compactMap { $0.keys[key] }.joined()
            #expect(names.filter { !said.contains("`\($0)`") } == [], "\(key)")
        }
    }
}
