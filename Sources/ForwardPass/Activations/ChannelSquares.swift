import CKernels
import LinearAlgebra

/// The sum of the squares of each channel over all rows, accumulated in f64, row by row.
public final class ChannelSquares: ActivationSink {
    /// How many rows there were.
    public private(set) var count = 0
    public private(set) var sums: [Double] = []

    public init() {}

    /// The 2-norm of each channel.
    public var norms: [Double] { sums.map { $0.squareRoot() } }

    public func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws {
        try requireWidth(activations.columns, of: sums.count, after: count)
        guard let base = activations.base, activations.rows > 0 else { return }
        if count == 0 { sums = [Double](repeating: 0, count: activations.columns) }
        count += activations.rows
        for row in 0..<activations.rows {
            let values = base + row * activations.rowStride
            if let values = values as? UnsafePointer<Float> {
                mp_add_squares_f32(&sums, values, activations.columns)
            } else if let values = values as? UnsafePointer<Double> {
                mp_add_squares_f64(&sums, values, activations.columns)
            }
        }
    }
}
