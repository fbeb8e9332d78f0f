/// A sequence of layers with its embedding and last norm: the decoder of a language model, one tower of CLIP.
public struct Stack: Sendable, Equatable {
    public let name: String
    public let hiddenSize: Int
    public let embedding: Embedding
    public let layers: [Layer]
    public let finalNorm: Norm?
    /// A map applied after the layers (OPT's project_out).
    public let finalProjection: Projection?
}

public struct Layer: Sendable, Equatable {
    /// Whether all sublayers read the layer's input rather than each other's output.
    public let isParallel: Bool
    public let sublayers: [Sublayer]
}

/// `x ← residual(x + multiplier·scale ∘ after(operation(before(x))))`, where each of the norms may be absent.
public struct Sublayer: Sendable, Equatable {
    public enum Operation: Sendable, Equatable {
        case attention(AttentionBlock)
        case mlp(MLPBlock)
        case experts(ExpertsBlock)
        /// Copied, and not understood.
        case opaque(OpaqueBlock)
    }

    public let operation: Operation
    public let before: Norm?
    public let after: Norm?
    public let residual: Norm?
    /// Stored name of a factor per channel (LayerScale).
    public let scale: String?
    public let multiplier: Double
}

/// How inputs become the residual stream.
public enum Embedding: Sendable, Equatable {
    case tokens(TokenEmbedding)
    case patches(PatchEmbedding)
    case audio(AudioEmbedding)
}

public struct TokenEmbedding: Sendable, Equatable {
    /// Stored names.
    public let tokens: String
    public let positions: String?
    /// Row of the table at which position 0 lies.
    public let positionOffset: Int
    /// A token that takes its own number for a position and is not counted (RoBERTa's padding).
    public let uncounted: Int?
    /// Segment types; absent inputs mean type 0.
    public let types: String?
    /// Token vectors are multiplied by this.
    public let multiplier: Double
    public let norm: Norm?
    /// A map to the hidden size after the norm (ELECTRA, ALBERT), or before positions are added (OPT).
    public let projection: Projection?
    public let projectsBeforePositions: Bool
    public let vocabulary: Int
}

/// Non-overlapping squares of pixels, flattened and projected, behind tokens that stand for the whole image.
public struct PatchEmbedding: Sendable, Equatable {
    public let patches: Projection
    public let channels: Int
    public let imageSize: Int
    public let patchSize: Int
    /// Stored names of vectors that stand before the patches.
    public let leading: [String]
    /// The axis of those tensors, read as matrices, that carries channels.
    public let leadingAxis: Int
    public let positions: String?
    public let norm: Norm?
}

/// Two convolutions of width 3 over mel frames, the second of stride 2, each followed by GELU; then positions (Whisper).
public struct AudioEmbedding: Sendable, Equatable {
    public let first: Projection
    public let second: Projection
    public let melBins: Int
    public let positions: String
}

extension Sublayer.Operation {
    /// Path of the block, such as `layers.3.attention`.
    public var blockName: String {
        switch self {
        case .attention(let block): block.name
        case .mlp(let block): block.name
        case .experts(let block): block.name
        case .opaque(let block): block.name
        }
    }

    public var layer: Int {
        switch self {
        case .attention(let block): block.layer
        case .mlp(let block): block.layer
        case .experts(let block): block.layer
        case .opaque(let block): block.layer
        }
    }
}
