import Architectures
import LinearAlgebra

/// Inputs for models whose data nobody gave: random tokens, or pixels and sound of unit variance. The same for every run.
public enum RandomInputs {
    public static func make(
        for architecture: Architecture, sequences: Int = 4, length: Int = 32
    ) throws -> ModelInputs {
        var stream = KeyedRandomStream(secret: [], info: "mergeproof/inputs")
        var inputs = ModelInputs()
        for stack in architecture.stacks {
            switch stack.embedding {
            case .tokens(let embedding):
                // A table of positions may begin with rows that no position uses.
                let rows = min(length, max(architecture.longestSequence - embedding.positionOffset, 1))
                let tokens = (0..<sequences).map { _ in
                    (0..<rows).map { _ in stream.nextIndex(below: embedding.vocabulary) }
                }
                if stack.readsEncoder { inputs.decoderTokens = tokens } else { inputs.tokens = tokens }
            case .patches(let embedding):
                let shape = [embedding.channels, embedding.imageSize, embedding.imageSize]
                inputs.pixels = (0..<sequences).map { _ in array(shape, &stream) }
            case .audio(let embedding):
                let frames = 2 * (architecture.dimensions["audio_positions"] ?? architecture.longestSequence)
                inputs.pixels = (0..<sequences).map { _ in array([embedding.melBins, frames], &stream) }
            }
        }
        // A classifier that reads where the text ends needs an end, and a decoder in step.
        if case .classifier(let head) = architecture.head, head.pooling == .endOfText, let token = head.token {
            for number in inputs.tokens.indices where !inputs.tokens[number].isEmpty {
                inputs.tokens[number][inputs.tokens[number].count - 1] = token
            }
            if head.decoderStart != nil { inputs.decoderTokens = [] }
        }
        return inputs
    }

    private static func array(_ shape: [Int], _ stream: inout KeyedRandomStream) -> PixelArray {
        PixelArray(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Float(stream.nextGaussian()) })
    }
}

extension Architecture {
    /// Positions that learned tables have room for; without such tables the number is large.
    var longestSequence: Int {
        var longest = Int.max
        for (name, size) in dimensions where name.contains("positions") { longest = min(longest, size) }
        return max(longest, 1)
    }
}
