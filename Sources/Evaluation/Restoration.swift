import Checkpoints

/// How well a restored checkpoint agrees with the original.
public struct Restoration: Sendable {
    /// Every tensor is the same to the bit.
    public let isIdentical: Bool
    /// The largest relative error, in norm, of a tensor.
    public let largestError: Double

    public init(original: Checkpoint, restored: Checkpoint) throws {
        isIdentical =
            original.tensors.count == restored.tensors.count
            && original.tensors.values.allSatisfy { tensor in
                restored.tensors[tensor.name].map {
                    $0.type == tensor.type && $0.shape == tensor.shape
                        && same(original.bytes(of: tensor), restored.bytes(of: $0))
                } ?? false
            }
        largestError = try Displacement(
            original, restored, kinds: [:], threads: WorkerThreads.availableCores
        ).largest
    }
}
