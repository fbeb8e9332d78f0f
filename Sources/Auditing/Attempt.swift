import Alignment
import Evaluation
import LinearAlgebra
import Merging

/// What an attack or a merge came to, or why it came to nothing by itself: that is reported, and ends no audit.
enum Attempt<Found: Codable>: Codable {
    case found(Found)
    case failed(String)

    /// - Throws: what is wrong with files or with what is audited.
    init(_ find: () throws -> Found) throws {
        do { self = .found(try find()) } catch {
            guard
                error is AlignmentError || error is MergeError || error is EvaluationError
                    || error is LinearAlgebraError
            else { throw error }
            self = .failed("\(error)")
        }
    }

    var found: Found? { if case .found(let found) = self { found } else { nil } }
    var failure: String? { if case .failed(let reason) = self { reason } else { nil } }
}
