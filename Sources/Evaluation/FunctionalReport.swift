import Checkpoints
import Transformers

/// What evaluation found.
public struct FunctionalReport: Sendable {
    public let comparison: Comparison
    public let tolerance: Comparison.Tolerance
    public let inDouble: Bool

    public var drift: Comparison.Outputs { comparison.drift }
    public var floor: Comparison.Outputs { comparison.floor }

    /// Drift in units of the rounding floor.
    public var ratio: Double { floor.relativeError > 0 ? drift.relativeError / floor.relativeError : 0 }

    /// Neither the lock nor rounding what it moved changes the outputs: nothing moved, or nothing that counts.
    public var hasNothingToCompare: Bool { drift.relativeError == 0 && floor.relativeError == 0 }

    public var holds: Bool {
        drift.agreeing == drift.decided && comparison.firstFault == nil && comparison.notFinite == nil
    }

    /// The layer in which the residual stream drifts most.
    public var worstLayer: Comparison.Layer? { comparison.layers.max { $0.drift < $1.drift } }

    public var json: JSONValue {
        .object([
            "same_function": .bool(holds), "precision": .string(inDouble ? "f64" : "f32"),
            "output": .string(comparison.kind.rawValue), "drift": Self.json(drift), "rounding_floor": Self.json(floor),
            "drift_over_floor": .double(ratio), "tolerance_multiple": .double(tolerance.multiple),
            "tolerance_absolute": .double(tolerance.absolute),
            "first_fault": comparison.firstFault.map { fault in
                .object(["block": .string(fault.block), "tensors": .array(fault.tensors.map(JSONValue.string))])
            } ?? .null,
            "not_finite": comparison.notFinite.map(JSONValue.string) ?? .null,
            "routing": comparison.routing.map(Self.json) ?? .null,
            "layers": .array(
                comparison.layers.map { layer in
                    .object([
                        "name": .string(layer.name), "drift": .double(layer.drift),
                        "rounding_floor": .double(layer.floor),
                        "own_drift": .double(layer.own?.drift ?? 0),
                        "own_rounding_floor": .double(layer.own?.floor ?? 0),
                    ])
                }),
        ])
    }

    private static func json(_ outputs: Comparison.Outputs) -> JSONValue {
        .object([
            "relative_error": .double(outputs.relativeError), "largest_error": .double(outputs.largestError),
            "mean_divergence": .double(outputs.meanDivergence),
            "largest_divergence": .double(outputs.largestDivergence), "rows": .int(outputs.rows),
            "decided_rows": .int(outputs.decided), "agreeing_rows": .int(outputs.agreeing),
            "largest_similarity_change": outputs.largestSimilarityChange.map(JSONValue.double) ?? .null,
        ])
    }

    private static func json(_ routing: Comparison.Routing) -> JSONValue {
        .object([
            "decisions": .int(routing.decisions), "turned": .int(routing.turned),
            "turned_share": .double(Double(routing.turned) / Double(max(routing.decisions, 1))),
            "turned_by_rounding": .double(routing.turnedByRounding), "turned_beyond_rounding": .int(routing.overturned),
        ])
    }
}
