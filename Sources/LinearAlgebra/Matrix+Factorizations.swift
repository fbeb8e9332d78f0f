extension Matrix {
    /// Thin QR: A = Q·R, Q (m x k) with orthonormal columns, R (k x n) upper triangular, k = min(m, n). LAPACK geqrf, orgqr.
    public func qr() throws(LinearAlgebraError) -> (q: Matrix, r: Matrix) {
        let k = Swift.min(rows, columns)
        guard k > 0 else {
            return (
                Matrix(rows: rows, columns: k, repeating: 0), Matrix(rows: k, columns: columns, repeating: 0)
            )
        }
        var a = elements
        var tau = [Scalar](repeating: 0, count: k)
        try LinearAlgebraError.check(Scalar._geqrf(rows, columns, &a, &tau), "geqrf") {
            .notConverged(routine: "geqrf", info: $0)
        }
        var r = Matrix(rows: k, columns: columns, repeating: 0)
        for i in 0..<k {
            for j in i..<columns { r[i, j] = a[i * columns + j] }
        }
        try LinearAlgebraError.check(Scalar._orgqr(rows, k, k, &a, columns, tau), "orgqr") {
            .notConverged(routine: "orgqr", info: $0)
        }
        var q = Matrix(rows: rows, columns: k, repeating: 0)
        for i in 0..<rows {
            for j in 0..<k { q[i, j] = a[i * columns + j] }
        }
        return (q, r)
    }

    /// Thin singular value decomposition A = U · diag(s) · Vᵀ, s descending. LAPACK gesdd.
    public func svd() throws(LinearAlgebraError) -> (u: Matrix, s: [Scalar], vt: Matrix) {
        let k = Swift.min(rows, columns)
        var u = Matrix(rows: rows, columns: k, repeating: 0)
        var vt = Matrix(rows: k, columns: columns, repeating: 0)
        guard k > 0 else { return (u, [], vt) }
        var a = elements
        var s = [Scalar](repeating: 0, count: k)
        try LinearAlgebraError.check(
            Scalar._gesdd(true, rows, columns, &a, &s, &u.elements, &vt.elements), "gesdd"
        ) { .notConverged(routine: "gesdd", info: $0) }
        return (u, s, vt)
    }

    /// Singular values, descending.
    public func singularValues() throws(LinearAlgebraError) -> [Scalar] {
        let k = Swift.min(rows, columns)
        guard k > 0 else { return [] }
        var a = elements
        var s = [Scalar](repeating: 0, count: k)
        var unused = [Scalar](repeating: 0, count: 1)
        var unusedToo = [Scalar](repeating: 0, count: 1)
        try LinearAlgebraError.check(
            Scalar._gesdd(false, rows, columns, &a, &s, &unused, &unusedToo), "gesdd"
        ) { .notConverged(routine: "gesdd", info: $0) }
        return s
    }

    /// Eigenvalues, ascending, and eigenvectors as the rows of a matrix, of a symmetric matrix (its upper triangle is
    /// read). LAPACK syevd.
    public func symmetricEigen() throws(LinearAlgebraError) -> (values: [Scalar], vectors: Matrix) {
        try requireSquare("symmetric eigenproblem")
        var vectors = self
        var values = [Scalar](repeating: 0, count: rows)
        guard rows > 0 else { return (values, vectors) }
        try LinearAlgebraError.check(Scalar._syevd(rows, &vectors.elements, &values), "syevd") {
            .notConverged(routine: "syevd", info: $0)
        }
        return (values, vectors)
    }

    func requireSquare(_ operation: String) throws(LinearAlgebraError) {
        guard rows == columns else {
            throw .dimensionMismatch(
                operation: operation, expected: "a square matrix", found: "\(rows) x \(columns)")
        }
    }
}
