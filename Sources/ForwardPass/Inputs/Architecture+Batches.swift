import Architectures

extension Architecture {
    /// Runs of examples that are evaluated together, so that weights are read once for all of them; as many as keep activations and
    /// scores within some hundred megabytes.
    package func batches(_ examples: [ModelInputs]) -> [Range<Int>] {
        let (mostPositions, mostScores) = (4096, 1 << 25)
        var columns = 1
        if case .language(let language) = head { columns = max(language.head.outputCount, 1) }
        var batches: [Range<Int>] = []
        var (start, positions) = (0, 0)
        for (number, example) in examples.enumerated() {
            let own = self.positions(of: example)
            if number > start, positions + own > min(mostPositions, mostScores / columns) {
                batches.append(start..<number)
                (start, positions) = (number, 0)
            }
            positions += own
        }
        return start < examples.count ? batches + [start..<examples.count] : batches
    }

    /// Rows of the longest residual stream that one example makes.
    private func positions(of inputs: ModelInputs) -> Int {
        var longest = max(inputs.tokens.first?.count ?? 0, inputs.decoderTokens.first?.count ?? 0, 1)
        for stack in stacks {
            switch stack.embedding {
            case .tokens: continue
            case .patches(let patches):
                let side = patches.imageSize / max(patches.patchSize, 1)
                longest = max(longest, side * side)
            case .audio: longest = max(longest, inputs.pixels.first?.shape.last ?? 0)
            }
        }
        return longest
    }
}
