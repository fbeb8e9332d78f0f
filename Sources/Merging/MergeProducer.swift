import CKernels
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
        let width = tensor.type.bitWidth / 8
        tiles = stride(from: 0, to: tensor.elementCount, by: Self.tileValues).map {
            $0 * width..<min($0 + Self.tileValues, tensor.elementCount) * width
        }
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
        try check(output, widened, count)
    }

    private func check(_ output: UnsafeMutableRawBufferPointer, _ widened: [UnsafePointer<Float>], _ count: Int) throws
    {
        func isFinite(_ values: UnsafePointer<Float>) -> Bool {
            values.withMemoryRebound(to: UInt32.self, capacity: count) { mp_nonfinite_32($0, count) } == 0
        }
        for (input, values) in zip(inputs, widened) where !isFinite(values) {
            throw MergeError.nonFinite(path: input.checkpoint.path, tensor: tensor.name)
        }
        let stored = [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            if let to = buffer.baseAddress, let from = output.baseAddress { tensor.type.widen(from, into: to, count) }
            filled = count
        }
        guard stored.withUnsafeBufferPointer({ $0.baseAddress.map(isFinite) ?? true }) else {
            throw MergeError.overflow(tensor: tensor.name, type: tensor.type.rawValue)
        }
    }

    func finish() {}
}
