import Architectures
import Checkpoints
import Foundations
import LinearAlgebra

/// The dense maps of a forward pass. Weights are widened tile by tile into memory that stays in the cache, and each tile's product
/// runs on one core.
struct LinearMaps<Real: ComputeScalar>: Sendable {
    /// Outputs that one tile computes.
    private static var tileOutputs: Int { 192 }
    /// Products below this many multiplications are not worth a second thread.
    private static var smallWork: Int { 1 << 20 }

    let weights: Weights
    let threads: Int
    let observer: Observer?

    /// Everything that the stored tensor of a projection computes from `x`: y = x·Wᵀ + b, fused neighbours included.
    func applyStored(_ projection: Projection, to x: States<Real>) throws -> States<Real> {
        let tensor = try weights.stored(projection.weight)
        let bias = try projection.bias.map { try weights.values($0, as: Real.self) }
        let (inputs, outputs) = (projection.inputCount, projection.storedOutputs)
        let first = (projection.expert ?? 0) * inputs * outputs
        guard x.columns == inputs, first + inputs * outputs <= tensor.record.elementCount else {
            throw ForwardError.missingTensor(path: tensor.checkpoint.path, tensor: projection.weight)
        }
        let biasStart = (projection.expert ?? 0) * outputs
        let y = States<Real>(rows: x.rows, columns: outputs)
        let tiles = (outputs + Self.tileOutputs - 1) / Self.tileOutputs
        let isSmall = x.rows * inputs * outputs < Self.smallWork
        let isTransposed = projection.outputAxis == 1
        try WorkerThreads.forEach(tiles, threads: isSmall ? 1 : threads) { tile, scratch in
            let range = tile * Self.tileOutputs..<min((tile + 1) * Self.tileOutputs, outputs)
            let target = y.mutableWindow(rows: 0..<x.rows, columns: range)
            if isTransposed {
                let right = Self.columns(of: tensor, first, range, inputs: inputs, outputs: outputs, scratch)
                try Products.multiply(x.view, by: right, into: target)
            } else {
                let right = Self.rows(of: tensor, first, range, inputs: inputs, scratch)
                try Products.multiply(x.view, by: right, rightTransposed: true, into: target)
                weights.release(tensor, first + range.lowerBound * inputs..<first + range.upperBound * inputs)
            }
            guard let bias, biasStart + range.upperBound <= bias.count else { return }
            bias.withUnsafeBufferPointer { bias in
                guard let base = bias.baseAddress else { return }
                for row in 0..<y.rows {
                    Real.add(y.row(row) + range.lowerBound, base + biasStart + range.lowerBound, range.count, 1)
                }
            }
        }
        weights.release(tensor)
        try weights.routing[projection.storedMap]?.add(to: y, reading: x, of: projection, threads: threads)
        try observer?.note(.input(of: projection.storedMap), x)
        try observer?.note(.output(of: projection.storedMap), y)
        return y
    }

    /// This projection's own outputs alone.
    func apply(_ projection: Projection, to x: States<Real>) throws -> States<Real> {
        let all = try applyStored(projection, to: x)
        if projection.outputCount == all.columns { return all }
        return all.columns(
            from: projection.outputOffset, count: projection.outputCount, stride: projection.outputStride)
    }

    /// Stored as (out, in): some rows.
    private static func rows(
        of tensor: Weights.Stored, _ first: Int, _ range: Range<Int>, inputs: Int, _ scratch: WorkerScratch
    ) -> MatrixView<Real> {
        let start = first + range.lowerBound * inputs
        if let base = tensor.inPlace(Real.self) {
            return MatrixView(base + start, rows: range.count, columns: inputs, rowStride: inputs)
        }
        let buffer = scratch.buffer(0, of: Real.self, count: range.count * inputs)
        tensor.widen(start..<start + range.count * inputs, into: buffer)
        return MatrixView(buffer, rows: range.count, columns: inputs, rowStride: inputs)
    }

    /// Stored as (in, out): some columns.
    private static func columns(
        of tensor: Weights.Stored, _ first: Int, _ range: Range<Int>, inputs: Int, outputs: Int,
        _ scratch: WorkerScratch
    ) -> MatrixView<Real> {
        if let base = tensor.inPlace(Real.self) {
            return MatrixView(
                base + first + range.lowerBound, rows: inputs, columns: range.count, rowStride: outputs)
        }
        let buffer = scratch.buffer(0, of: Real.self, count: range.count * inputs)
        for input in 0..<inputs {
            let start = first + input * outputs + range.lowerBound
            tensor.widen(start..<start + range.count, into: buffer + input * range.count)
        }
        return MatrixView(buffer, rows: inputs, columns: range.count, rowStride: range.count)
    }
}
