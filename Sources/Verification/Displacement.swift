import Checkpoints
import Foundations

/// How far weights lie from what they were: ‖W' - W‖ / ‖W‖ over floating tensors of one name, type and shape.
public struct Displacement: Sendable {
    /// Over all of them.
    public let all: Double
    /// Over those that differ in any bit.
    public let ofMoved: Double
    /// Their share of the original's bytes.
    public let movedShare: Double

    public init(from original: Checkpoint, to other: Checkpoint, threads: Int? = nil) throws {
        let sums = try TensorSums.all(original, other, threads: WorkerThreads.count(threads))
        self.init(sums, of: original)
    }

    /// Adds up in the order of the tensors, so that the figures do not depend on threads.
    init(_ sums: [String: TensorSums], of original: Checkpoint) {
        var (all, moved, bytes) = (TensorSums.none, TensorSums.none, 0)
        for tensor in original.tensors.values {
            guard let sums = sums[tensor.name] else { continue }
            all.add(sums)
            if sums.isSame { continue }
            moved.add(sums)
            bytes += tensor.byteCount
        }
        (self.all, ofMoved) = (all.ratio, moved.ratio)
        movedShare = Double(bytes) / Double(max(original.tensorBytes, 1))
    }
}
