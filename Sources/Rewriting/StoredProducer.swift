import Checkpoints
import Foundations

/// Writes bytes that are there: what is left of a gain, a gain that comes back, a tensor that no checkpoint holds.
package final class StoredProducer: TensorProducer {
    package let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)] = []
    package let tiles: [Range<Int>]
    private let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        tiles = bytes.isEmpty ? [] : [0..<bytes.count]
    }

    package func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        output.copyBytes(from: bytes[tile])
    }

    package func finish() {}
}
