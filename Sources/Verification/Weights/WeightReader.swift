import Checkpoints

/// Reads weights of any floating type as f64.
package struct WeightReader: Sendable {
    package let checkpoint: Checkpoint

    package init(checkpoint: Checkpoint) { self.checkpoint = checkpoint }

    /// Consecutive elements of a tensor in storage order.
    package func values(_ tensor: TensorRecord, _ range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        guard let base = checkpoint.bytes(of: tensor).baseAddress, !range.isEmpty else { return }
        guard tensor.type.isComputable else { return target.update(repeating: .nan, count: range.count) }
        tensor.type.widen(base + range.lowerBound * tensor.type.bitWidth / 8, into: target, range.count)
    }
}
