/// A dense array of pixels or sound: shape, then values in row-major order.
public struct PixelArray: Sendable, Equatable {
    public let shape: [Int]
    public let values: [Float]

    /// - Precondition: as many values as the shape says.
    public init(shape: [Int], values: [Float]) {
        precondition(shape.reduce(1, *) == values.count, "one value per place")
        self.shape = shape
        self.values = values
    }
}

/// What a model reads. Sequences have no padding: each is as long as it is.
public struct ModelInputs: Sendable, Equatable {
    /// Token ids of each sequence; of the encoder where there is one.
    public var tokens: [[Int]] = []
    /// Segment types of the tokens; empty means all 0.
    public var types: [[Int]] = []
    /// Token ids of the decoder behind an encoder.
    public var decoderTokens: [[Int]] = []
    /// Images (channels, height, width), or mel spectrograms (bins, frames).
    public var pixels: [PixelArray] = []

    public init(
        tokens: [[Int]] = [], types: [[Int]] = [], decoderTokens: [[Int]] = [], pixels: [PixelArray] = []
    ) {
        self.tokens = tokens
        self.types = types
        self.decoderTokens = decoderTokens
        self.pixels = pixels
    }
}

extension ModelInputs {
    /// Examples one after the other.
    public init(joining examples: [ModelInputs]) {
        // Where one has types the others' are 0.
        let hasTypes = examples.contains { !$0.types.isEmpty }
        self.init(
            tokens: examples.flatMap(\.tokens),
            types: hasTypes
                ? examples.flatMap { $0.types.isEmpty ? $0.tokens.map { $0.map { _ in 0 } } : $0.types } : [],
            decoderTokens: examples.flatMap(\.decoderTokens), pixels: examples.flatMap(\.pixels))
    }

    /// One example after the other; all as one where there are more texts than images, or fewer.
    package var examples: [ModelInputs] {
        let counts = Set([tokens.count, pixels.count, decoderTokens.count].filter { $0 > 0 })
        guard counts.count < 2 else { return [self] }
        return (0..<(counts.first ?? 0)).map(example)
    }

    /// One example alone.
    public func example(_ number: Int) -> ModelInputs {
        func one<Item>(_ items: [Item]) -> [Item] { number < items.count ? [items[number]] : [] }
        return ModelInputs(
            tokens: one(tokens), types: one(types), decoderTokens: one(decoderTokens), pixels: one(pixels))
    }
}

/// What the rows of an output are.
public enum OutputKind: String, Sendable {
    /// Scores over the vocabulary, one row per position.
    case logits
    /// Scores over classes, one row per sequence.
    case classes
    /// Similarities, one row per image and one column per text.
    case similarities
    /// Last hidden states, one row per position.
    case states
}
