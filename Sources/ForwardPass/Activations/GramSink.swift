import Checkpoints
import Foundations
import LinearAlgebra

/// The Gram matrix Σ xᵀ·x of all rows x, accumulated in f64.
///
/// The products of f32 values are exact in f64, so that errors are those of summing: at most about n·2⁻⁵³ · Σ|x_i·x_j| for n rows. Bits do
/// not depend on the count of threads; they may depend on how rows are spread over calls.
public final class GramSink: ActivationSink {
    /// Rows that are widened and multiplied at once, and rows of the result that one product makes.
    private static let (depth, height) = (256, 128)

    /// How many rows there were.
    public private(set) var count = 0
    /// Its upper triangle, and what the tiles on the diagonal have of the lower one.
    private var sum = States<Double>(rows: 0, columns: 0)
    private let threads: Int

    public init(threads: Int? = nil) { self.threads = WorkerThreads.count(threads) }

    /// Forgets all rows.
    func clear() { (count, sum) = (0, States(rows: 0, columns: 0)) }

    /// channels x channels, symmetric to the bit.
    public var matrix: Matrix<Double> {
        var matrix = sum.matrix
        for i in 0..<matrix.rows {
            for j in 0..<i { matrix[i, j] = matrix[j, i] }
        }
        return matrix
    }

    public func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws {
        let channels = activations.columns
        try requireWidth(channels, of: sum.columns, after: count)
        guard let base = activations.base, activations.rows > 0 else { return }
        if count == 0 { sum = States(zeros: channels, channels) }
        count += activations.rows
        for start in stride(from: 0, to: activations.rows, by: Self.depth) {
            let rows = start..<min(start + Self.depth, activations.rows)
            let x = States<Double>(rows: rows.count, columns: channels)
            for (target, row) in rows.enumerated() {
                let values = base + row * activations.rowStride
                for channel in 0..<channels { x.row(target)[channel] = Double(values[channel]) }
            }
            try add(x)
        }
    }

    private func add(_ x: States<Double>) throws {
        let (sum, channels) = (sum, x.columns)
        let tiles = (channels + Self.height - 1) / Self.height
        try WorkerThreads.forEach(tiles, threads: threads) { tile, _ in
            let rows = tile * Self.height..<min((tile + 1) * Self.height, channels)
            let columns = rows.lowerBound..<channels
            try Products.multiply(
                x.window(rows: 0..<x.rows, columns: rows), leftTransposed: true,
                by: x.window(rows: 0..<x.rows, columns: columns), into: sum.mutableWindow(rows: rows, columns: columns),
                beta: 1)
        }
    }
}
