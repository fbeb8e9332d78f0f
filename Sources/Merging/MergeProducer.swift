import Checkpoints
import Foundations
import Synchronization

/// Makes one tensor of a merged model: looks at the whole of it where its method asks for that, and then tile by tile widens what every model
/// has, merges in f32 and rounds once.
final class MergeProducer: TensorProducer {
    let tiles: [Range<Int>]
    private let spec: TensorSpec
    private let method: MergeMethod
    private let tensor: MergeTensor
    private let planned = Mutex<Result<MergeKernel, any Error>?>(nil)

    var inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)] {
        (tensor.inputs + tensor.importance).map { ($0.checkpoint, $0.tensor) }
    }

    init(_ spec: TensorSpec, _ method: MergeMethod, of tensor: MergeTensor) {
        (self.spec, self.method, self.tensor) = (spec, method, tensor)
        let width = spec.type.bitWidth / 8
        tiles = MergeTensor.runs(of: tensor.count, columns: tensor.columns, method.unit).map {
            $0.lowerBound * width..<$0.upperBound * width
        }
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        let width = spec.type.bitWidth / 8
        let places = tile.lowerBound / width..<tile.upperBound / width
        let kernel = try kernel()
        for input in tensor.inputs { try input.checkFinite(places) }
        tensor.read(places, scratch) { tile in
            kernel(tile)
            if let target = output.baseAddress { spec.type.narrow(tile.output, into: target, tile.count) }
        }
        if NonFinite.count(in: UnsafeRawBufferPointer(output), of: spec.type) > 0 {
            // What a method found in the whole tensor may have been no number somewhere else.
            for input in tensor.inputs { try input.checkFinite(0..<tensor.count) }
            throw MergeError.overflow(tensor: spec.name, type: spec.type.rawValue)
        }
    }

    /// Planned by whoever needs it first; others wait, so that their threads are free for it.
    private func kernel() throws -> MergeKernel {
        try planned.withLock { planned in
            if let planned { return try planned.get() }
            let result = Result { try method.plan(tensor) }
            planned = result
            return try result.get()
        }
    }

    func finish() { planned.withLock { $0 = nil } }
}
