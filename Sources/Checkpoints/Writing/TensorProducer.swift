import Foundations

/// Makes the bytes of one tensor, tile by tile, in any order and from any thread.
public protocol TensorProducer: AnyObject, Sendable {
    /// What it reads. The writer lets go of their pages while it works.
    var inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)] { get }

    /// Byte ranges within the tensor's data: ascending, without gaps, from its first byte to its last. They follow from shapes
    /// alone, so that what is written does not depend on threads.
    var tiles: [Range<Int>] { get }

    /// Fills `output`, which is as long as the tile.
    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws

    /// Called once after the tensor's last tile.
    func finish()
}
