/// A dense matrix, stored row-major without padding: entry (i, j) is `elements[i * columns + j]`.
public struct Matrix<Scalar: RealScalar>: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    public internal(set) var elements: [Scalar]

    public init(rows: Int, columns: Int, repeating value: Scalar) {
        self.rows = rows
        self.columns = columns
        elements = [Scalar](repeating: value, count: rows * columns)
    }

    /// - Precondition: `elements` holds rows x columns values, row by row.
    public init(rows: Int, columns: Int, elements: [Scalar]) {
        precondition(elements.count == rows * columns, "one element per entry")
        self.rows = rows
        self.columns = columns
        self.elements = elements
    }

    /// The same values in another precision, rounded to nearest.
    public init<Other: RealScalar>(_ other: Matrix<Other>) {
        self.init(rows: other.rows, columns: other.columns, elements: other.elements.map { Scalar($0) })
    }

    /// A matrix in f64, rounded to nearest; compiled for each scalar, which matters where callers are generic.
    public init(rounding other: Matrix<Double>) {
        self.init(rows: other.rows, columns: other.columns, elements: Scalar._rounded(other.elements))
    }

    public static func identity(_ n: Int) -> Matrix { diagonal([Scalar](repeating: 1, count: n)) }

    public static func diagonal(_ entries: [Scalar]) -> Matrix {
        var matrix = Matrix(rows: entries.count, columns: entries.count, repeating: 0)
        for (i, entry) in entries.enumerated() { matrix[i, i] = entry }
        return matrix
    }

    public subscript(_ i: Int, _ j: Int) -> Scalar {
        @inlinable get { elements[i * columns + j] }
        set { elements[i * columns + j] = newValue }
    }

    @inlinable public var transposed: Matrix {
        var result: [Scalar] = []
        result.reserveCapacity(elements.count)
        for j in 0..<columns {
            for i in 0..<rows { result.append(elements[i * columns + j]) }
        }
        return Matrix(rows: columns, columns: rows, elements: result)
    }

    /// sqrt(Σ a_ij²), summed in f64.
    public var frobeniusNorm: Double {
        elements.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    public func withView<Result>(_ body: (MatrixView<Scalar>) throws -> Result) rethrows -> Result {
        try elements.withUnsafeBufferPointer { buffer in
            try body(MatrixView(buffer.baseAddress, rows: rows, columns: columns, rowStride: columns))
        }
    }

    public mutating func withMutableView<Result>(
        _ body: (MutableMatrixView<Scalar>) throws -> Result
    ) rethrows -> Result {
        try elements.withUnsafeMutableBufferPointer { buffer in
            try body(MutableMatrixView(buffer.baseAddress, rows: rows, columns: columns, rowStride: columns))
        }
    }
}
