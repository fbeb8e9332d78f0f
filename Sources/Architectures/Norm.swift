/// A normalisation of the last axis.
///
/// RMS: `x / sqrt(mean x² + ε) · (w + o)`. Layer: `(x - mean x) / sqrt(var x + ε) · (w + o) + b`. The offset o is 1 where the
/// family stores gains around zero (Gemma). Without a stored gain, w + o is 1.
public struct Norm: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable { case rms, layer }

    public let kind: Kind
    /// Stored names.
    public let weight: String?
    public let bias: String?
    public let epsilon: Double
    public let gainOffset: Double
}

/// A normalisation of queries and keys between their projections and their product.
public struct QueryKeyNorm: Sendable, Equatable {
    public enum Scope: String, Sendable, CaseIterable {
        /// Each head is normalised by itself; the gain is shared by all heads.
        case head
        /// Each head is normalised by itself, with a gain of its own.
        case eachHead = "each_head"
        /// The whole projection is normalised at once.
        case projection
    }

    public let scope: Scope
    /// One norm each; with `eachHead`, stored gains may be one tensor (heads x head_dim) or one per head.
    public let query: [Norm]
    public let key: [Norm]
    /// Whether it acts on rotated queries and keys.
    public let isAfterRotary: Bool

    var kind: Norm.Kind { query.first?.kind ?? .rms }
}
