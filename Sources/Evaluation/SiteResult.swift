import Checkpoints
import Symmetries

/// What was found at one site.
public struct SiteResult: Sendable, Equatable {
    public let path: String
    public let kind: Site.Kind
    public let layer: Int
    /// The largest relative error of anything that the group leaves invariant.
    public let invariantError: Double
    public let tolerance: Double
    /// Some weight of the site differs.
    public let isMoved: Bool
    /// Where the largest error was found, for the reader of a failure.
    public let worst: String

    public var holds: Bool { invariantError <= tolerance }

    var json: JSONValue {
        .object([
            "path": .string(path), "kind": .string(kind.rawValue), "layer": .int(layer),
            "invariant_error": .double(invariantError), "tolerance": .double(tolerance), "moved": .bool(isMoved),
            "holds": .bool(holds), "worst": .string(worst),
        ])
    }
}

/// The largest of many errors, and where it was.
struct WorstError {
    private(set) var value = 0.0
    private(set) var place = ""

    /// A NaN counts as infinitely wrong.
    mutating func include(_ error: Double, _ place: @autoclosure () -> String) {
        let error = error.isNaN ? .infinity : error
        guard error > value else { return }
        value = error
        self.place = place()
    }
}
