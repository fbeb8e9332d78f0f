import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Products of a tensor with vectors of the residual stream that it reads or writes.
struct StreamReader {
    private static let block = 64

    let checkpoint: Checkpoint
    let tensor: TensorRecord
    /// As what matrix it is read.
    let shape: (rows: Int, columns: Int)
    /// The axis on which the stream lies, in blocks of its width.
    let axis: Int
    /// By block: what the tensor is multiplied by, channel by channel.
    let factors: [[Double]]

    static func gain(_ gain: Site.Gain?, in checkpoint: Checkpoint) -> [Double] {
        guard let gain, let tensor = checkpoint.tensors[gain.tensor] else { return [] }
        var values = [Double](repeating: 0, count: tensor.elementCount)
        values.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            WeightReader(checkpoint: checkpoint).values(tensor, 0..<tensor.elementCount, into: base)
        }
        return values.map { $0 + gain.offset }
    }

    /// What a slice is multiplied by before its stream is turned; empty for nothing.
    static func factors(of slice: Site.Slice, in checkpoint: Checkpoint) -> [Double] {
        slice.factors(gain(slice.gain, in: checkpoint))
    }

    /// Of one channel of a block.
    private func factor(_ block: Int, _ channel: Int) -> Double {
        factors.indices.contains(block) && !factors[block].isEmpty ? factors[block][channel] : 1
    }

    /// `W·diag(g)·V` where the stream lies on columns, `Vᵀ·diag(g)·W` where it lies on rows, block by block; V is d x k.
    func products<Real: ProbedScalar>(
        with vectors: Matrix<Real>, into target: UnsafeMutablePointer<Real>, _ scratch: WorkerScratch
    ) throws {
        let (rows, columns) = shape
        let (d, k) = (vectors.rows, vectors.columns)
        let buffer = scratch.buffer(0, of: Double.self, count: max(Self.block * columns, 1))
        let packed = scratch.buffer(1, of: Real.self, count: max(Self.block * columns, 1))
        let reader = WeightReader(checkpoint: checkpoint)
        var window = PageWindow(checkpoint, tensor)
        var start = 0
        while start < rows {
            let end = min(start + Self.block, axis == 0 ? (start / d + 1) * d : rows, rows)
            try multiply(start, end, columns, reader, buffer, packed)
            window.didRead((end - start) * columns * tensor.type.bitWidth / 8)
            start = end
        }
        func multiply(
            _ start: Int, _ end: Int, _ columns: Int, _ reader: WeightReader, _ buffer: UnsafeMutablePointer<Double>,
            _ packed: UnsafeMutablePointer<Real>
        ) throws {
            reader.values(tensor, start * columns..<end * columns, into: buffer)
            let number = axis == 0 ? start / d : 0
            for row in start..<end {
                let (from, to) = (buffer + (row - start) * columns, packed + (row - start) * columns)
                if factors.isEmpty {
                    for i in 0..<columns { to[i] = Real(from[i]) }
                } else if axis == 1 {
                    for i in 0..<columns { to[i] = Real(from[i] * factor(i / d, i % d)) }
                } else {
                    for i in 0..<columns { to[i] = Real(from[i] * factor(number, row % d)) }
                }
            }
            let weights = MatrixView(UnsafePointer(packed), rows: end - start, columns: columns, rowStride: columns)
            try vectors.withView { all in
                if axis == 1 {
                    let blocks = columns / d
                    for block in 0..<blocks {
                        try Products.multiply(
                            weights.window(rows: 0..<end - start, columns: block * d..<(block + 1) * d), by: all,
                            into: MutableMatrixView(
                                target + (start * blocks + block) * k, rows: end - start, columns: k,
                                rowStride: blocks * k))
                    }
                } else {
                    try Products.multiply(
                        all.window(rows: start % d..<start % d + end - start, columns: 0..<k), leftTransposed: true,
                        by: weights,
                        into: MutableMatrixView(
                            target + number * k * columns, rows: k, columns: columns, rowStride: columns),
                        beta: start % d == 0 ? 0 : 1)
                }
            }
        }
    }
}
