import Checkpoints
import Foundations

/// How well a restored checkpoint agrees with the original.
public struct Restoration: Sendable {
    /// Every tensor is the same to the bit.
    public let isIdentical: Bool
    /// The largest relative error, in norm, of a tensor.
    public let largestError: Double

    public init(original: Checkpoint, restored: Checkpoint) throws {
        let sums = try TensorSums.all(original, restored, threads: WorkerThreads.availableCores)
        isIdentical =
            original.tensors.count == restored.tensors.count && sums.count == original.tensors.count
            && sums.values.allSatisfy(\.isSame)
        largestError = sums.values.map(\.ratio).max() ?? 0
    }
}
