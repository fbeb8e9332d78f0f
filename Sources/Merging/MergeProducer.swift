import Checkpoints
import Foundations

/// Makes one tensor of a merged model: widens a tile of every model's, combines them in f32, rounds once.
final class MergeProducer: TensorProducer {
    /// Values of a tile: those of a handful of models stay in the second-level cache.
    private static let tileValues = 1 << 15

    let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)]
    let tiles: [Range<Int>]
    private let tensor: TensorSpec
    private let method: MergeMethod
    private let values: [String: Double]
    private let weights: [Float]
    private let hasBase: Bool

    init(
        _ tensor: TensorSpec, method: MergeMethod, values: [String: Double], models: [Merger.Model], base: Checkpoint?
    ) {
        (self.tensor, self.method, self.values) = (tensor, method, values)
        weights = models.map { Float($0.weight) }
        hasBase = base != nil
        inputs = (models.map(\.checkpoint) + [base].compactMap(\.self)).compactMap { checkpoint in
            checkpoint.tensors[tensor.name].map { (checkpoint, $0) }
        }
        tiles = tensor.tiles(ofValues: Self.tileValues)
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        let width = tensor.type.bitWidth / 8
        let (start, count) = (tile.lowerBound / width, tile.count / width)
        let widened = inputs.enumerated().map { number, input in
            let values = scratch.buffer(number, of: Float.self, count: count)
            if let bytes = input.checkpoint.bytes(of: input.tensor).baseAddress {
                input.tensor.type.widen(bytes + start * input.tensor.type.bitWidth / 8, into: values, count)
            }
            return UnsafePointer(values)
        }
        let merged = scratch.buffer(inputs.count, of: Float.self, count: count)
        method.combine(
            MergeTile(
                count: count, models: Array(widened.prefix(weights.count)), weights: weights,
                base: hasBase ? widened.last : nil, output: merged, values: values))
        if let target = output.baseAddress { tensor.type.narrow(merged, into: target, count) }
        try check(output, start, count)
    }

    private func check(_ output: UnsafeMutableRawBufferPointer, _ start: Int, _ count: Int) throws {
        for input in inputs {
            let width = input.tensor.type.bitWidth / 8
            let read = input.checkpoint.bytes(of: input.tensor)[start * width..<(start + count) * width]
            if NonFinite.count(in: UnsafeRawBufferPointer(rebasing: read), of: input.tensor.type) > 0 {
                throw MergeError.nonFinite(path: input.checkpoint.path, tensor: tensor.name)
            }
        }
        if NonFinite.count(in: UnsafeRawBufferPointer(output), of: tensor.type) > 0 {
            throw MergeError.overflow(tensor: tensor.name, type: tensor.type.rawValue)
        }
    }

    func finish() {}
}
