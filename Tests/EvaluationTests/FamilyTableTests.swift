import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import Protections
import TestSupport
import Testing

/// The table of families in the documentation says what is true of the program as it is.
@Suite struct FamilyTableTests {
    private let lines: [Substring]

    init() throws {
        let path = Fixtures.root + "/../../Sources/MergeproofKit/MergeproofKit.docc/Families.md"
        lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    }

    /// Sites, groups and limits as they are derived now; the errors within what is promised.
    @Test(arguments: Fixtures.recorded)
    func listsModel(name: String) throws {
        let facts = FamilyTable.facts(
            try Architecture.resolve(try Checkpoint(opening: Fixtures.path(name))), name: name)
        let line = try #require(lines.first { $0.hasPrefix("| \(facts) | ") }, "scripts/make_family_table.sh")
        let errors = line.split(separator: "|").dropFirst(4).compactMap {
            Double($0.trimmingCharacters(in: .whitespaces))
        }
        try #require(errors.count == 4)
        #expect(errors[0] < 2e-5 && errors[1] < (name.hasPrefix("bloom") ? 1e-9 : 1e-12))
        #expect(name.hasSuffix("16") || errors[2] < 2e-6)
        #expect(errors[3] < 1.5)
    }

    @Test(arguments: Fixtures.undescribed)
    func listsModelsThatAreNotEvaluated(name: String) throws {
        let facts = FamilyTable.facts(
            try Architecture.resolve(try Checkpoint(opening: Fixtures.path(name))), name: name)
        #expect(lines.contains("| \(facts) | - | - | - | - |"), "scripts/make_family_table.sh")
    }

    @Test func listsEveryFamily() throws {
        for refusal in try FamilyTable.refusals() { #expect(lines.contains("| \(refusal) |")) }
        let measured = Set(lines.compactMap { $0.split(separator: " | ").dropFirst().first.map(String.init) })
        let families = try Architecture.supported().map(\.family)
        #expect(families.filter { !measured.contains($0) } == [])
    }
}
