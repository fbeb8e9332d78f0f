import Foundations
import LinearAlgebra

/// Σ xᵀ·y over rows x and y of the same positions, accumulated in f64 as `GramSink` does: channels of x by channels of y.
package final class CrossGram {
    /// Columns of what is looked at.
    package struct Channels: Sendable, Equatable {
        package let start, stride, count: Int

        package init(start: Int = 0, stride: Int = 1, count: Int) {
            (self.start, self.stride, self.count) = (start, stride, count)
        }

        fileprivate func fit(_ columns: Int) -> Bool {
            start >= 0 && stride > 0 && count > 0 && (columns - start - 1) / stride >= count - 1 && start < columns
        }
    }

    private static let (depth, height) = (256, 128)

    /// How many rows there were.
    package private(set) var count = 0
    private let channels: Channels
    private let sum: States<Double>
    private let threads: Int

    package init(_ channels: Channels, threads: Int) {
        (self.channels, self.threads) = (channels, threads)
        sum = States(zeros: channels.count, channels.count)
    }

    package var matrix: Matrix<Double> { sum.matrix }

    /// - Throws: `LinearAlgebraError.dimensionMismatch` where the rows do not go together or lack some of the channels.
    package func add(_ x: Matrix<Float>, _ y: Matrix<Float>) throws {
        guard x.rows == y.rows, channels.fit(x.columns), channels.fit(y.columns) else {
            throw LinearAlgebraError.dimensionMismatch(
                operation: "products of activations",
                expected: "\(x.rows) rows with \(channels.count) channels from \(channels.start)",
                found: "\(x.rows) x \(x.columns) and \(y.rows) x \(y.columns)")
        }
        count += x.rows
        let (sum, n) = (sum, channels.count)
        for start in stride(from: 0, to: x.rows, by: Self.depth) {
            let rows = start..<min(start + Self.depth, x.rows)
            let (left, right) = (widened(x, rows), widened(y, rows))
            try WorkerThreads.forEach((n + Self.height - 1) / Self.height, threads: threads) { tile, _ in
                let lines = tile * Self.height..<min((tile + 1) * Self.height, n)
                try Products.multiply(
                    left.window(rows: 0..<rows.count, columns: lines), leftTransposed: true, by: right.view,
                    into: sum.mutableWindow(rows: lines, columns: 0..<n), beta: 1)
            }
        }
    }

    private func widened(_ matrix: Matrix<Float>, _ rows: Range<Int>) -> States<Double> {
        let states = States<Double>(rows: rows.count, columns: channels.count)
        matrix.elements.withUnsafeBufferPointer { values in
            for (target, row) in rows.enumerated() {
                let line = row * matrix.columns + channels.start
                for channel in 0..<channels.count {
                    states.row(target)[channel] = Double(values[line + channel * channels.stride])
                }
            }
        }
        return states
    }
}
