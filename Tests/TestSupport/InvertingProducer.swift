import Checkpoints
import Foundations

/// Inverts every bit of a tensor's data.
public final class InvertingProducer: TensorProducer {
    public let tiles: [Range<Int>]
    public let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)]

    /// - Parameter tileBytes: the size of all tiles but the last.
    public init(_ spec: TensorSpec, of checkpoint: Checkpoint, tileBytes: Int) {
        inputs = checkpoint.tensors[spec.name].map { [(checkpoint, $0)] } ?? []
        tiles = stride(from: 0, to: spec.byteCount, by: tileBytes).map { $0..<min($0 + tileBytes, spec.byteCount) }
    }

    public func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) {
        for input in inputs {
            let source = input.checkpoint.bytes(of: input.tensor)
            for (place, byte) in tile.enumerated() { output[place] = ~source[byte] }
        }
    }

    public func finish() {}
}
