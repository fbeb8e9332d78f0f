/// Attention of one layer: `heads` query heads in `keyValueHeads` groups. Query head h reads key/value head h / (heads / groups).
public struct AttentionBlock: Sendable, Equatable {
    /// Which positions a query sees: all, or those up to its own; within a window where there is one.
    public struct Mask: Sendable, Equatable {
        public let isCausal: Bool
        /// A query at t sees keys s with t - s < window; without causality |t - s| <= window.
        public let window: Int?
        /// A query sees only keys of its own chunk of this many positions (Llama 4).
        public let chunk: Int?
    }

    /// What is added to scores by the distance of the positions.
    public enum PositionBias: Sendable, Equatable {
        /// -m_h·(t - s) up to a constant of the row (arXiv 2108.12409); `isRounded` to bf16 and under the softmax scale as Falcon has it.
        case alibi(isRounded: Bool)
        /// T5's table of buckets x heads (arXiv 1910.10683).
        case relative(tensor: String, buckets: Int, maximumDistance: Int, isBidirectional: Bool)
    }

    /// A projection to a latent space with its norm, before the projection to heads (MLA, arXiv 2405.04434).
    public struct Latent: Sendable, Equatable {
        public let down: Projection
        public let norm: Norm
    }

    /// Queries multiplied by `1 + scale·log(1 + ⌊(t + 1) / floor⌋)` (Llama 4).
    public struct Temperature: Sendable, Equatable {
        public let scale: Double
        public let floor: Double
    }

    /// Stable path, such as `layers.3.attention`.
    public let name: String
    public let layer: Int
    public let heads: Int
    public let keyValueHeads: Int
    public let headDimension: Int
    public let valueHeadDimension: Int
    public let query: Projection
    /// With `sharedKey` the channels of each head before those.
    public let key: Projection
    public let value: Projection
    public let output: Projection
    /// σ of this map multiplies what the heads give, channel by channel, before the output projection (Qwen3-Next).
    public let outputGate: Projection?
    /// Key channels that all heads share, and that alone are rotated (MLA); part of `keyValueLatent`'s projection.
    public let sharedKey: Projection?
    public let queryLatent: Latent?
    public let keyValueLatent: Latent?
    /// Whether keys and values come from the encoder.
    public let readsEncoder: Bool
    public let rotary: Rotary?
    public let queryKeyNorm: QueryKeyNorm?
    public let mask: Mask
    /// What the products of queries and keys are multiplied by.
    public let scale: Double
    /// c·tanh(score / c) where there is a cap c.
    public let softCap: Double?
    /// Stored name of one logit per head that takes part in the softmax and carries no value.
    public let sinks: String?
    /// Queries, keys and values are clamped to ± this.
    public let clip: Double?
    public let positionBias: PositionBias?
    public let temperature: Temperature?
    /// A stored vector that stands for the queries' input: one query that pools the sequence (SigLIP).
    public let probe: String?

    /// Query heads that share a key/value head.
    public var groupSize: Int { heads / keyValueHeads }
}
