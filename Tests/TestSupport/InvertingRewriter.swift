import Checkpoints
import Foundations

/// Inverts every bit of a tensor's data.
public final class InvertingRewriter: TensorRewriter {
    public let tiles: [Range<Int>]
    private let tensor: TensorRecord
    private let checkpoint: Checkpoint

    /// - Parameter tileBytes: the size of all tiles but the last.
    public init(_ tensor: TensorRecord, of checkpoint: Checkpoint, tileBytes: Int) {
        self.tensor = tensor
        self.checkpoint = checkpoint
        tiles = stride(from: 0, to: tensor.byteCount, by: tileBytes).map { $0..<min($0 + tileBytes, tensor.byteCount) }
    }

    public func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) {
        let source = checkpoint.bytes(of: tensor)
        for (place, byte) in tile.enumerated() { output[place] = ~source[byte] }
    }

    public func finish() {}
}
