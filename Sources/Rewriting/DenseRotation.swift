/// How much is multiplied by a dense rotation at a time.
package enum DenseRotation {
    /// BLAS packs the rotation for each product: the more rows, the less of that; and values, for memory.
    private static let (mostRows, values) = (1024, 1 << 22)
    /// Columns of what writes a stream, whose rows are turned.
    package static let columns = 512

    /// Rows of what reads a stream of this width, or of a table.
    package static func rows(width: Int) -> Int { min(mostRows, max(128, values / max(width, 1))) }
}
