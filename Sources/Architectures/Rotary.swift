/// How rotary embeddings pair channels, by the names that descriptions use.
public enum ChannelLayout: String, Sendable, CaseIterable {
    /// Channel i with i + r/2: Llama, Qwen, Mistral.
    case halfSplit = "half_split"
    /// Channel 2i with 2i + 1: GPT-J, Cohere.
    case interleaved
}

/// Rotary position embedding (arXiv 2104.09864) on `dimensions` channels of each head, from `offset` on: pair p of a token at
/// position t is turned by the angle t·ω_p and multiplied by `attentionFactor`.
public struct Rotary: Sendable, Equatable {
    public let dimensions: Int
    public let offset: Int
    public let layout: ChannelLayout
    /// Base of the frequencies: ω_p = θ^(-2p/r) before scaling.
    public let theta: Double
    public let scaling: RotaryScaling
    /// Positions along several axes, as of places in an image: each pair is turned by the position along one of them, both of its
    /// members by the same angle, so that what commutes with a turned pair is what it was. Text has the same position along all.
    public let axes: Int
    /// Whether generating forgets the keys seen so far where the sequence passes from the short factors to the long ones (Phi-3).
    public let restartsWhenLong: Bool

    public init(
        dimensions: Int, offset: Int = 0, layout: ChannelLayout, theta: Double = 10000, scaling: RotaryScaling = .none,
        axes: Int = 1, restartsWhenLong: Bool = false
    ) {
        self.dimensions = dimensions
        self.offset = offset
        self.layout = layout
        self.theta = theta
        self.scaling = scaling
        self.axes = axes
        self.restartsWhenLong = restartsWhenLong
    }
}
