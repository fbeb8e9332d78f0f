import Auditing
import Foundation
import Testing

@Suite struct AuditResultsTests {
    @Test func aMergesBestIsTheOneOfTheLargestUtility() throws {
        let candidates = [0.25, 0.75, 0.5].map {
            "{\"protected\": 1, \"scores\": {\"accuracies\": [], \"losses\": [], \"utility\": \($0)}}"
        }
        let text = "{\"name\": \"ties\", \"per_task\": false, \"candidates\": [\(candidates.joined(separator: ", "))]}"
        let merge = try JSONDecoder().decode(AuditResults.Merge.self, from: Data(text.utf8))
        #expect(merge.best?.scores.utility == 0.75)
    }
}
