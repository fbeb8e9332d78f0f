import Architectures

extension Sublayer {
    /// Stored names of everything that a feed-forward block without experts reads, its norms included; nil for other blocks.
    var feedForwardTensors: Set<String>? {
        guard case .mlp(let block) = operation else { return nil }
        let projections = [block.gate, block.up, block.down].compactMap(\.self).flatMap { [$0.weight, $0.bias] }
        let norms = [before, after, residual].compactMap(\.self).flatMap { [$0.weight, $0.bias] }
        return Set((projections + norms + [scale, block.series]).compactMap(\.self))
    }
}
