import ForwardPass

/// What evaluation found.
public struct FunctionalReport: Sendable {
    public let comparison: Comparison
    public let tolerance: Comparison.DriftTolerance
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
}
