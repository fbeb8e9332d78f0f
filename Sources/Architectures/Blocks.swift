/// How rotary embeddings pair channels, by the names that descriptions use.
public enum ChannelLayout: String, Sendable {
    /// Channel i with i + r/2: Llama, Qwen, Mistral.
    case halfSplit = "half_split"
    /// Channel 2i with 2i + 1: GPT-J, Cohere.
    case interleaved
}

/// Rotary position embedding on the first `dimensions` channels of each head.
public struct Rotary: Sendable, Equatable {
    public let dimensions: Int
    public let layout: ChannelLayout
}

/// A normalisation with gain between the query and key projections and their product.
public struct QueryKeyNorm: Sendable, Equatable {
    public enum Scope: String, Sendable {
        /// Each head is normalised by itself; the gain is shared by all heads.
        case head
        /// The whole projection is normalised at once.
        case projection
    }

    /// Stored names of the gains.
    public let query: String
    public let key: String
    public let scope: Scope
}

/// Where the heads of a projection lie on an axis of the stored weight: query head `member` of group `group` takes
/// `offset + group·groupStride + member·headStride ..< + length`.
public struct HeadLayout: Sendable, Equatable {
    public let offset: Int
    public let groupStride: Int
    public let headStride: Int
    public let length: Int

    public func range(group: Int, member: Int) -> Range<Int> {
        let start = offset + group * groupStride + member * headStride
        return start..<start + length
    }
}

/// A linear map `y = W·x + b` as the checkpoint stores it.
public struct Projection: Sendable, Equatable {
    /// Stored name of the weight.
    public let weight: String
    /// Stored name of the bias, nil where there is none.
    public let bias: String?
    /// Axis of the stored weight that carries outputs: 0 for nn.Linear, 1 for GPT-2's Conv1D.
    public let outputAxis: Int
    /// Where this map's outputs begin on that axis and in the bias (fused projections).
    public let outputOffset: Int
    public let outputCount: Int
    public let inputCount: Int
    /// For queries, keys and values on the output axis, for the output projection on the input axis.
    public let headLayout: HeadLayout?
}

/// Attention of one layer: `heads` query heads in `keyValueHeads` groups.
public struct AttentionBlock: Sendable, Equatable {
    /// Stable path, such as `layers.3.attention`.
    public let name: String
    public let layer: Int
    public let heads: Int
    public let keyValueHeads: Int
    public let headDimension: Int
    public let valueHeadDimension: Int
    public let query: Projection
    public let key: Projection
    public let value: Projection
    public let output: Projection
    public let rotary: Rotary?
    public let queryKeyNorm: QueryKeyNorm?
}

/// The feed-forward block of one layer: `down(act(up x))`, or `down(act(gate x) ∘ up x)` when gated.
public struct MLPBlock: Sendable, Equatable {
    public let name: String
    public let layer: Int
    public let intermediateSize: Int
    public let gate: Projection?
    public let up: Projection
    public let down: Projection
    public let activation: Activation
}

/// Pointwise nonlinearities, by the names of transformers.
public enum Activation: String, Sendable, CaseIterable {
    case gelu
    case geluTanh = "gelu_pytorch_tanh"
    case quickGelu = "quick_gelu"
    case silu, relu, relu2, tanh

    /// Other spellings of the same functions.
    init?(configName: String) {
        switch configName {
        case "gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh": self = .geluTanh
        case "gelu_python": self = .gelu
        case "swish": self = .silu
        default: self.init(rawValue: configName)
        }
    }

    /// f(s·x) = s·f(x) for s > 0.
    public var isPositivelyHomogeneous: Bool { self == .relu }
}
