import Foundations
import LinearAlgebra

/// Some channels of an activation: columns of what is looked at.
package struct ActivationChannels: Sendable, Equatable {
    /// Rows that are widened and multiplied at once, and rows of the result that one product makes.
    private static let (depth, height) = (256, 128)

    package let start, stride, count: Int

    package init(start: Int = 0, stride: Int = 1, count: Int) {
        (self.start, self.stride, self.count) = (start, stride, count)
    }

    private func fit(_ columns: Int) -> Bool {
        start >= 0 && stride > 0 && count > 0 && (columns - start - 1) / stride >= count - 1 && start < columns
    }

    /// Σ xᵀ·y over rows x and y of the same positions, accumulated in f64 as `GramSink` does: channels of x by channels of y.
    ///
    /// - Throws: `LinearAlgebraError.dimensionMismatch` where the rows do not go together or lack some of the channels.
    package func products(_ x: Matrix<Float>, _ y: Matrix<Float>, threads: Int) throws -> Matrix<Double> {
        guard x.rows == y.rows, fit(x.columns), fit(y.columns) else {
            throw LinearAlgebraError.dimensionMismatch(
                operation: "products of activations", expected: "\(x.rows) rows with \(count) channels from \(start)",
                found: "\(x.rows) x \(x.columns) and \(y.rows) x \(y.columns)")
        }
        let sum = States<Double>(zeros: count, count)
        for first in Swift.stride(from: 0, to: x.rows, by: Self.depth) {
            let rows = first..<min(first + Self.depth, x.rows)
            let (left, right) = (widened(x, rows), widened(y, rows))
            try WorkerThreads.forEach((count + Self.height - 1) / Self.height, threads: threads) { tile, _ in
                let lines = tile * Self.height..<min((tile + 1) * Self.height, count)
                try Products.multiply(
                    left.window(rows: 0..<rows.count, columns: lines), leftTransposed: true, by: right.view,
                    into: sum.mutableWindow(rows: lines, columns: 0..<count), beta: 1)
            }
        }
        return sum.matrix
    }

    private func widened(_ matrix: Matrix<Float>, _ rows: Range<Int>) -> States<Double> {
        let states = States<Double>(rows: rows.count, columns: count)
        matrix.elements.withUnsafeBufferPointer { values in
            for (target, row) in rows.enumerated() {
                let line = row * matrix.columns + start
                for channel in 0..<count { states.row(target)[channel] = Double(values[line + channel * stride]) }
            }
        }
        return states
    }
}
