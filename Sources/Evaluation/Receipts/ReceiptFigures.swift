import Verification

/// What a receipt says of both proofs.
struct ReceiptFigures: Sendable, Equatable, Encodable {
    struct Sites: Sendable, Equatable, Encodable {
        let kind: String
        let count, moved: Int
        /// Of the site where it is largest; nil where it was not finite.
        let worstInvariantError, tolerance: Double?

        enum CodingKeys: String, CodingKey {
            case kind, count, moved
            case worstInvariantError = "worst_invariant_error"
            case tolerance
        }
    }

    struct Weights: Sendable, Equatable, Encodable {
        let holds: Bool
        let displacement: Double?
        let sites: [Sites]

        enum CodingKeys: String, CodingKey {
            case holds = "same_function"
            case displacement, sites
        }
    }

    struct Outputs: Sendable, Equatable, Encodable {
        let holds: Bool
        let kind, precision: String
        /// Relative errors.
        let drift, roundingFloor: Double?

        enum CodingKeys: String, CodingKey {
            case holds = "same_function"
            case kind = "output"
            case precision, drift
            case roundingFloor = "rounding_floor"
        }
    }

    let weights: Weights
    /// Nil where outputs were not evaluated.
    let outputs: Outputs?

    var hold: Bool { weights.holds && outputs?.holds ?? true }
}

extension ReceiptFigures {
    init(_ weights: VerificationReport, _ outputs: FunctionalReport?) {
        self.weights = Weights(
            holds: weights.holds, displacement: weights.displacement.finite,
            sites: weights.kinds.map { kind in
                Sites(
                    kind: kind.kind.rawValue, count: kind.count, moved: kind.moved,
                    worstInvariantError: kind.worst.invariantError.finite, tolerance: kind.worst.tolerance.finite)
            })
        self.outputs = outputs.map { report in
            Outputs(
                holds: report.holds, kind: report.comparison.kind.rawValue, precision: report.inDouble ? "f64" : "f32",
                drift: report.drift.relativeError.finite, roundingFloor: report.floor.relativeError.finite)
        }
    }

    init(_ members: ReceiptMembers) throws(ReceiptError) {
        let weights = try members.members("weights", ["same_function", "displacement", "sites"])
        self.weights = Weights(
            holds: try weights.bool("same_function"), displacement: try weights.number("displacement"),
            sites: try weights.list(
                "sites", of: ["kind", "count", "moved", "worst_invariant_error", "tolerance"]
            ) { (site) throws(ReceiptError) in
                Sites(
                    kind: try site.string("kind"), count: try site.int("count"), moved: try site.int("moved"),
                    worstInvariantError: try site.number("worst_invariant_error"),
                    tolerance: try site.number("tolerance"))
            })
        guard try !members.isNull("outputs") else {
            outputs = nil
            return
        }
        let outputs = try members.members(
            "outputs", ["same_function", "output", "precision", "drift", "rounding_floor"])
        self.outputs = Outputs(
            holds: try outputs.bool("same_function"), kind: try outputs.string("output"),
            precision: try outputs.string("precision"), drift: try outputs.number("drift"),
            roundingFloor: try outputs.number("rounding_floor"))
    }
}

extension Double {
    /// Nil for what JSON has no number for.
    fileprivate var finite: Double? { isFinite ? self : nil }
}
