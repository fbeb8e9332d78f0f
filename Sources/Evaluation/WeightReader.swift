import Checkpoints

/// Reads weights of any floating type as f64.
struct WeightReader: Sendable {
    let checkpoint: Checkpoint

    /// Consecutive elements of a tensor in storage order.
    func values(_ tensor: TensorRecord, _ range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        guard let base = checkpoint.bytes(of: tensor).baseAddress, !range.isEmpty else { return }
        guard tensor.type.isComputable else { return target.update(repeating: .nan, count: range.count) }
        tensor.type.widen(base + range.lowerBound * tensor.type.bitWidth / 8, into: target, range.count)
    }
}
