import LinearAlgebra

/// Receives the activations of a point as they are computed: what is not kept takes no memory.
public protocol ActivationSink: AnyObject {
    /// Takes one row for each position. Called in the order of computation, on the thread that the evaluation was started on; where
    /// layers share a map, once for each of them. The view is valid during the call alone.
    func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws
}

/// Keeps activations, each call's rows below those before.
public final class KeptActivations<Scalar: RealScalar>: ActivationSink {
    public private(set) var rows = 0
    public private(set) var columns = 0
    private var elements: [Scalar] = []

    public init() {}

    public var matrix: Matrix<Scalar> { Matrix(rows: rows, columns: columns, elements: elements) }

    /// Forgets all rows.
    func clear() { (rows, columns, elements) = (0, 0, []) }

    public func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws {
        try requireWidth(activations.columns, of: columns, after: rows)
        (rows, columns) = (rows + activations.rows, activations.columns)
        guard let base = activations.base else { return }
        elements.reserveCapacity(elements.count + activations.rows * columns)
        for row in 0..<activations.rows {
            let values = UnsafeBufferPointer(start: base + row * activations.rowStride, count: columns)
            if let values = values as? UnsafeBufferPointer<Scalar> {
                elements += values
            } else {
                elements += values.lazy.map { Scalar($0) }
            }
        }
    }
}

/// The smallest and the largest value of each channel; NaN where a value is NaN.
public final class ChannelRanges: ActivationSink {
    /// How many rows there were.
    public private(set) var count = 0
    public private(set) var minimum: [Double] = []
    public private(set) var maximum: [Double] = []

    public init() {}

    public func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws {
        try requireWidth(activations.columns, of: minimum.count, after: count)
        guard let base = activations.base, activations.rows > 0 else { return }
        if count == 0 {
            minimum = [Double](repeating: .infinity, count: activations.columns)
            maximum = [Double](repeating: -.infinity, count: activations.columns)
        }
        count += activations.rows
        for row in 0..<activations.rows {
            let values = base + row * activations.rowStride
            for channel in 0..<activations.columns {
                let value = Double(values[channel])
                if value < minimum[channel] || value.isNaN { minimum[channel] = value }
                if value > maximum[channel] || value.isNaN { maximum[channel] = value }
            }
        }
    }
}

/// A point has as many channels in each call.
func requireWidth(_ found: Int, of expected: Int, after rows: Int) throws(LinearAlgebraError) {
    guard rows == 0 || found == expected else {
        throw .dimensionMismatch(
            operation: "activations of one point", expected: "\(expected) channels", found: "\(found)")
    }
}
