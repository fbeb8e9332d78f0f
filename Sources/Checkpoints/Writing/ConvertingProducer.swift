import Foundations

/// Stores a tensor's values in another type, each rounded once to nearest even (f64 by way of f32).
final class ConvertingProducer: TensorProducer {
    /// Values that are converted at a time.
    private static let tileValues = 1 << 18

    let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)]
    let tiles: [Range<Int>]
    private let type: ElementType

    /// - Precondition: both types are computable.
    init(_ tensor: TensorRecord, of checkpoint: Checkpoint, to type: ElementType) {
        inputs = [(checkpoint, tensor)]
        self.type = type
        tiles = TensorSpec(name: tensor.name, type: type, shape: tensor.shape).tiles(ofValues: Self.tileValues)
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) {
        let (start, count) = (tile.lowerBound * 8 / type.bitWidth, tile.count * 8 / type.bitWidth)
        let values = scratch.buffer(0, of: Float.self, count: count)
        for input in inputs {
            guard let from = input.checkpoint.bytes(of: input.tensor).baseAddress, let to = output.baseAddress else {
                return
            }
            input.tensor.type.widen(from + start * input.tensor.type.bitWidth / 8, into: values, count)
            type.narrow(values, into: to, count)
        }
    }

    func finish() {}
}
