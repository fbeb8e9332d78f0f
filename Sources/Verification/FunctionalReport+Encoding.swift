import ForwardPass

extension FunctionalReport: Encodable {
    private enum Key: String, CodingKey {
        case sameFunction = "same_function"
        case precision, output, drift
        case roundingFloor = "rounding_floor"
        case driftOverFloor = "drift_over_floor"
        case toleranceMultiple = "tolerance_multiple"
        case toleranceAbsolute = "tolerance_absolute"
        case firstFault = "first_fault"
        case notFinite = "not_finite"
        case routing, layers
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(holds, forKey: .sameFunction)
        try container.encode(inDouble ? "f64" : "f32", forKey: .precision)
        try container.encode(comparison.kind.rawValue, forKey: .output)
        try container.encode(drift, forKey: .drift)
        try container.encode(floor, forKey: .roundingFloor)
        try container.encode(ratio, forKey: .driftOverFloor)
        try container.encode(tolerance.multiple, forKey: .toleranceMultiple)
        try container.encode(tolerance.absolute, forKey: .toleranceAbsolute)
        try container.encode(comparison.firstFault, forKey: .firstFault)
        try container.encode(comparison.notFinite, forKey: .notFinite)
        try container.encode(comparison.routing, forKey: .routing)
        try container.encode(comparison.layers, forKey: .layers)
    }
}

extension Comparison.Fault: Encodable {
    private enum Key: CodingKey { case block, tensors }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(block, forKey: .block)
        try container.encode(tensors, forKey: .tensors)
    }
}

extension Comparison.Layer: Encodable {
    private enum Key: String, CodingKey {
        case name, drift
        case roundingFloor = "rounding_floor"
        case ownDrift = "own_drift"
        case ownRoundingFloor = "own_rounding_floor"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: .name)
        try container.encode(drift, forKey: .drift)
        try container.encode(floor, forKey: .roundingFloor)
        try container.encode(own?.drift ?? 0, forKey: .ownDrift)
        try container.encode(own?.floor ?? 0, forKey: .ownRoundingFloor)
    }
}

extension Comparison.Outputs: Encodable {
    private enum Key: String, CodingKey {
        case relativeError = "relative_error"
        case largestError = "largest_error"
        case meanDivergence = "mean_divergence"
        case largestDivergence = "largest_divergence"
        case rows
        case decidedRows = "decided_rows"
        case agreeingRows = "agreeing_rows"
        case largestSimilarityChange = "largest_similarity_change"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(relativeError, forKey: .relativeError)
        try container.encode(largestError, forKey: .largestError)
        try container.encode(meanDivergence, forKey: .meanDivergence)
        try container.encode(largestDivergence, forKey: .largestDivergence)
        try container.encode(rows, forKey: .rows)
        try container.encode(decided, forKey: .decidedRows)
        try container.encode(agreeing, forKey: .agreeingRows)
        try container.encode(largestSimilarityChange, forKey: .largestSimilarityChange)
    }
}

extension Comparison.Routing: Encodable {
    private enum Key: String, CodingKey {
        case decisions, turned
        case turnedShare = "turned_share"
        case turnedByRounding = "turned_by_rounding"
        case turnedBeyondRounding = "turned_beyond_rounding"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(decisions, forKey: .decisions)
        try container.encode(turned, forKey: .turned)
        try container.encode(Double(turned) / Double(max(decisions, 1)), forKey: .turnedShare)
        try container.encode(turnedByRounding, forKey: .turnedByRounding)
        try container.encode(overturned, forKey: .turnedBeyondRounding)
    }
}
