import Checkpoints
import Symmetries

/// Compares what no site acts on of a tensor that is seen through random vectors of a stream.
struct SketchedTensor {
    let tensor: TensorRecord
    /// The axis of the vectors, and how many make a block.
    let axis: Int
    let vectors: Int
    /// Rows and columns at which sites act: they are proved by these.
    let covered: [(rows: Range<Int>, columns: Range<Int>)]

    /// The largest ‖y - x‖ / ‖x‖ of what reads or writes the stream at one place of the other axis.
    func worstError(_ original: Checkpoint, _ protected: Checkpoint, _ placement: Placement) -> WorstError {
        var worst = WorstError()
        guard let twin = PlacedTensor(tensor, placement, in: protected) else {
            worst.include(.infinity, "its type or shape")
            return worst
        }
        let (rows, columns) = tensor.matrixShape
        let reader = WeightReader(checkpoint: original)
        let lines = axis == 1 ? rows : columns
        var (x, y) = ([Double](repeating: 0, count: columns), [Double](repeating: 0, count: columns))
        var (error, size) = ([Double](repeating: 0, count: lines), [Double](repeating: 0, count: lines))
        for row in 0..<rows {
            let own = covered.filter { $0.rows.contains(row) }.map(\.columns)
            if own.contains(where: { $0.lowerBound <= 0 && $0.upperBound >= columns }) { continue }
            x.withUnsafeMutableBufferPointer { buffer in
                if let base = buffer.baseAddress {
                    reader.values(tensor, row * columns..<(row + 1) * columns, into: base)
                }
            }
            y.withUnsafeMutableBufferPointer { buffer in
                if let base = buffer.baseAddress { tensor.type.widen(twin.row(row), into: base, columns) }
            }
            if axis == 0, row % vectors == 0 {
                for column in 0..<columns { (error[column], size[column]) = (0, 0) }
            }
            for column in 0..<columns where !own.contains(where: { $0.contains(column) }) {
                let line = axis == 1 ? row : column
                error[line] += (y[column] - x[column]) * (y[column] - x[column])
                size[line] += x[column] * x[column]
            }
            if axis == 1 {
                worst.include(
                    Tolerance.relative(error[row].squareRoot(), to: size[row].squareRoot()), "row \(row)")
            } else if (row + 1) % vectors == 0 {
                for column in 0..<columns {
                    worst.include(
                        Tolerance.relative(error[column].squareRoot(), to: size[column].squareRoot()),
                        "column \(column)")
                }
            }
        }
        return worst
    }
}
