import Foundations

/// Writes a tensor that its checkpoint makes when it is asked for.
final class ContentProducer: TensorProducer {
    private static let tileValues = 1 << 18

    let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)]
    let tiles: [Range<Int>]

    init(_ tensor: TensorRecord, of checkpoint: Checkpoint) {
        inputs = [(checkpoint, tensor)]
        tiles = tensor.spec.tiles(ofValues: Self.tileValues)
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) {
        for input in inputs {
            let content = input.checkpoint.content(of: input.tensor)
            output.copyMemory(from: UnsafeRawBufferPointer(rebasing: content.bytes[tile]))
            withExtendedLifetime(content) {}
        }
    }

    func finish() {}
}
