/// Matrix products.
public enum Products {
    /// C ← alpha · op(A) · op(B) + beta · C, where op transposes or not (BLAS gemm).
    public static func multiply<Scalar: RealScalar>(
        _ a: MatrixView<Scalar>, leftTransposed transposeA: Bool = false, by b: MatrixView<Scalar>,
        rightTransposed transposeB: Bool = false, into c: MutableMatrixView<Scalar>, alpha: Scalar = 1, beta: Scalar = 0
    ) throws(LinearAlgebraError) {
        let (m, k) = transposeA ? (a.columns, a.rows) : (a.rows, a.columns)
        let (inner, n) = transposeB ? (b.columns, b.rows) : (b.rows, b.columns)
        guard inner == k, c.rows == m, c.columns == n else {
            throw .dimensionMismatch(
                operation: "matrix product", expected: "(\(m) x \(k)) · (\(k) x \(n)) into \(m) x \(n)",
                found: "(\(m) x \(k)) · (\(inner) x \(n)) into \(c.rows) x \(c.columns)")
        }
        guard let pointerA = a.base, let pointerB = b.base, let pointerC = c.base, m > 0, n > 0 else { return }
        Scalar._gemm(
            transposeA, transposeB, m, n, k, alpha, pointerA, max(a.rowStride, 1), pointerB, max(b.rowStride, 1),
            beta, pointerC, max(c.rowStride, 1))
    }

    /// The same by the definition, summed in f64: the oracle of `multiply`.
    package static func naiveProduct<Scalar: RealScalar>(_ a: Matrix<Scalar>, _ b: Matrix<Scalar>) -> Matrix<Scalar> {
        var c = Matrix<Scalar>(rows: a.rows, columns: b.columns, repeating: 0)
        for i in 0..<a.rows {
            for j in 0..<b.columns {
                c[i, j] = Scalar((0..<a.columns).reduce(0.0) { $0 + Double(a[i, $1]) * Double(b[$1, j]) })
            }
        }
        return c
    }
}

extension Matrix {
    /// A · B.
    /// - Precondition: as many rows in B as columns in A.
    public static func * (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.columns == b.rows, "inner dimensions agree")
        var c = Matrix(rows: a.rows, columns: b.columns, repeating: 0)
        a.withView { left in
            b.withView { right in
                c.withMutableView { result in try? Products.multiply(left, by: right, into: result) }
            }
        }
        return c
    }

    public static func - (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.rows == b.rows && a.columns == b.columns)
        return Matrix(rows: a.rows, columns: a.columns, elements: zip(a.elements, b.elements).map { $0 - $1 })
    }
}
