/// A read-only window on row-major data whose rows lie `rowStride` elements apart. Valid while its memory is.
public struct MatrixView<Scalar: RealScalar> {
    public let base: UnsafePointer<Scalar>?
    public let rows: Int
    public let columns: Int
    public let rowStride: Int

    public init(_ base: UnsafePointer<Scalar>?, rows: Int, columns: Int, rowStride: Int) {
        precondition(rowStride >= columns, "rows may not overlap")
        self.base = base
        self.rows = rows
        self.columns = columns
        self.rowStride = rowStride
    }

    public subscript(_ i: Int, _ j: Int) -> Scalar { base.map { $0[i * rowStride + j] } ?? 0 }

    public func window(rows r: Range<Int>, columns c: Range<Int>) -> MatrixView {
        precondition(r.lowerBound >= 0 && r.upperBound <= rows && c.lowerBound >= 0 && c.upperBound <= columns)
        return MatrixView(
            base.map { $0 + r.lowerBound * rowStride + c.lowerBound }, rows: r.count, columns: c.count,
            rowStride: rowStride)
    }
}

/// A writable window on row-major data.
public struct MutableMatrixView<Scalar: RealScalar> {
    public let base: UnsafeMutablePointer<Scalar>?
    public let rows: Int
    public let columns: Int
    public let rowStride: Int

    public init(_ base: UnsafeMutablePointer<Scalar>?, rows: Int, columns: Int, rowStride: Int) {
        precondition(rowStride >= columns, "rows may not overlap")
        self.base = base
        self.rows = rows
        self.columns = columns
        self.rowStride = rowStride
    }
}
