import Foundation
import Testing

@testable import Auditing

@Suite struct AuditResultsTests {
    @Test func aMergesBestIsTheOneOfTheLargestUtility() {
        func candidate(_ utility: Double) -> AuditResults.Candidate {
            .init(protected: 1, others: 0.5, scores: .init(accuracies: [], losses: [], utility: utility))
        }
        let merge = AuditResults.Merge(
            name: "ties", candidates: [candidate(0.25), candidate(0.75), candidate(0.5)], failure: nil)
        #expect(merge.best?.scores.utility == 0.75)
    }
}
