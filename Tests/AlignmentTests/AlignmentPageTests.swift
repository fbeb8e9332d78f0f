import Alignment
import Foundation
import TestSupport
import Testing

/// The page lists every method, with its paper.
@Suite struct AlignmentPageTests {
    private static func rows() throws -> [String: String] {
        let path = Fixtures.root + "/../../Sources/MergeproofKit/MergeproofKit.docc/Alignment.md"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
        let start = try #require(lines.firstIndex { $0.hasPrefix("| method | what it fits") })
        let rows = lines[(start + 2)...].prefix { $0.hasPrefix("| `") }
        return Dictionary(rows.map { (String($0.split(separator: "`")[1]), $0) }) { $0 + $1 }
    }

    @Test func methodsAreListed() throws {
        #expect(Set(try Self.rows().keys) == Set(AlignmentMethod.builtIn.map(\.name) + ["circuits"]))
    }

    @Test(arguments: AlignmentMethod.builtIn.filter { $0.reference != nil }.map(\.name))
    func papersAreNamed(name: String) throws {
        let reference = try #require(AlignmentMethod.builtIn.first { $0.name == name }?.reference)
        let row = try #require(try Self.rows()[name])
        #expect(row.contains("arXiv \(reference)"))
    }
}
