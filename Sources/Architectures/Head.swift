/// What a model makes of the last hidden states.
public enum Head: Sendable, Equatable {
    /// Scores over the vocabulary for every position.
    case language(LanguageHead)
    /// Scores over classes for every sequence.
    case classifier(Classifier)
    /// Similarities of images and texts.
    case contrastive(Contrastive)
    /// The hidden states themselves.
    case none
}

/// A linear map followed by a nonlinearity, where it has one.
public struct HeadStep: Sendable, Equatable {
    public let projection: Projection
    public let activation: Activation?
    public let norm: Norm?
}

extension Classifier {
    /// Stored names of all that it reads.
    public var tensors: Set<String> {
        Set(
            steps.flatMap {
                [$0.projection.weight, $0.projection.bias, $0.norm?.weight, $0.norm?.bias].compactMap(\.self)
            })
    }
}

/// `cap(multiplier·E·norm(act(T·x)) + b)`; E is the token embedding where tied.
public struct LanguageHead: Sendable, Equatable {
    public let transform: HeadStep?
    public let head: Projection
    public let multiplier: Double
    public let softCap: Double?
    /// Whether config.json says that the head is the table of tokens, also where both are stored.
    public let isTied: Bool
    /// Where the table is the head: the name under which the class looks for a head of its own; nil where there is none, or where more
    /// than a name depends on being tied.
    public let ownName: String?
}

public struct Classifier: Sendable, Equatable {
    public enum Pooling: String, Sendable, CaseIterable {
        case first, last, mean
        /// The decoder's last position at which the encoder reads the end-of-text token (BART, T5).
        case endOfText = "end_of_text"
        /// The first position beside the mean of the others (DINOv2).
        case firstAndMean = "first_and_mean"
        /// The mean of all positions but the first (CLIP).
        case meanOfRest = "mean_of_rest"
        /// The mean of two heads on the first two positions (DeiT with teacher).
        case meanOfHeads = "mean_of_heads"
        /// The mean of what the steps make of every position (EuroBERT).
        case meanOfScores = "mean_of_scores"
    }

    /// What stands before the encoder's tokens, the last of them left out, where the decoder has none of its own.
    public enum DecoderStart: Sendable, Equatable {
        case token(Int)
        /// The last token, found by counting those that are not padding (mBART, whose texts end with their language).
        case last(padding: Int)
    }

    public let pooling: Pooling
    public let steps: [HeadStep]
    /// With `last` padding, which does not count as the last position even where it is in the sequence; with `endOfText` that token.
    public let token: Int?
    public let decoderStart: DecoderStart?
}

/// `exp(s)·⟨t̂, v̂⟩ + b` of normalised text and image vectors.
public struct Contrastive: Sendable, Equatable {
    public struct Tower: Sendable, Equatable {
        public let stack: String
        public let pooling: Pooling
        public let projection: Projection?
    }

    public enum Pooling: Sendable, Equatable {
        case first, last
        /// The position of the end-of-text token; the largest id where the config names no other.
        case endOfText(Int)
        /// An attention with one learned query, then an MLP with a residual connection (SigLIP).
        case attention(Layer)
    }

    public let text: Tower
    public let image: Tower
    /// Stored names.
    public let scale: String
    public let bias: String?
}
