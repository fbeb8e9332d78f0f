import CSystemShims

/// P·L·U factors of a square matrix, kept as LAPACK leaves them for the transposed (column-major) reading of its rows.
public struct LUFactors<Scalar: RealScalar>: Sendable {
    let n: Int
    let factors: [Scalar]
    let pivots: [Int32]
    /// max_j Σ_i |a_ij| of the matrix that was factored.
    let oneNorm: Scalar

    /// X with A·X = B. LAPACK getrs.
    public func solve(_ b: Matrix<Scalar>) throws(LinearAlgebraError) -> Matrix<Scalar> {
        guard b.rows == n else {
            throw .dimensionMismatch(operation: "solve", expected: "\(n) rows", found: "\(b.rows)")
        }
        guard n > 0, b.columns > 0 else { return b }
        var columns = b.transposed.elements
        try LinearAlgebraError.check(Scalar._getrs(n, b.columns, factors, pivots, &columns), "getrs") {
            .notConverged(routine: "getrs", info: $0)
        }
        return Matrix(rows: b.columns, columns: n, elements: columns).transposed
    }

    /// A⁻¹. LAPACK getri.
    public func inverse() throws(LinearAlgebraError) -> Matrix<Scalar> {
        var result = factors
        guard n > 0 else { return Matrix(rows: 0, columns: 0, elements: []) }
        try LinearAlgebraError.check(Scalar._getri(n, &result, pivots), "getri") {
            .singular(routine: "getri", pivot: $0)
        }
        return Matrix(rows: n, columns: n, elements: result)
    }

    /// An estimate of 1 / (‖A‖₁ ‖A⁻¹‖₁) without forming the inverse, usually within a factor of three. LAPACK gecon.
    public func reciprocalConditionEstimate() throws(LinearAlgebraError) -> Scalar {
        guard n > 0 else { return 1 }
        var reciprocal: Scalar = 0
        // Column-major LAPACK sees the transpose, whose infinity norm is our 1-norm.
        try LinearAlgebraError.check(Scalar._gecon(n, factors, oneNorm, &reciprocal), "gecon") {
            .notConverged(routine: "gecon", info: $0)
        }
        return reciprocal
    }
}

extension Matrix {
    /// LU factorisation with partial pivoting. LAPACK getrf.
    /// - Throws: `singular` when a pivot is exactly zero.
    public func lu() throws(LinearAlgebraError) -> LUFactors<Scalar> {
        try requireSquare("LU")
        var factors = elements
        var pivots = [Int32](repeating: 0, count: rows)
        if rows > 0 {
            try LinearAlgebraError.check(Scalar._getrf(rows, &factors, &pivots), "getrf") {
                .singular(routine: "getrf", pivot: $0)
            }
        }
        var oneNorm: Scalar = 0
        for j in 0..<columns {
            oneNorm = Swift.max(oneNorm, (0..<rows).reduce(Scalar(0)) { $0 + self[$1, j].magnitude })
        }
        return LUFactors(n: rows, factors: factors, pivots: pivots, oneNorm: oneNorm)
    }

    public func inverse() throws(LinearAlgebraError) -> Matrix { try lu().inverse() }

    /// X with self · X = b.
    public func solve(_ b: Matrix) throws(LinearAlgebraError) -> Matrix { try lu().solve(b) }

    /// The X of least ‖A·X - B‖_F, of least norm where A is rank deficient. LAPACK gelsd.
    public func leastSquares(_ b: Matrix) throws(LinearAlgebraError) -> Matrix {
        guard b.rows == rows else {
            throw .dimensionMismatch(operation: "least squares", expected: "\(rows) rows", found: "\(b.rows)")
        }
        guard rows > 0, columns > 0, b.columns > 0 else {
            return Matrix(rows: columns, columns: b.columns, repeating: 0)
        }
        var a = elements
        var x = b.elements
        x += [Scalar](repeating: 0, count: Swift.max(0, columns - rows) * b.columns)
        var s = [Scalar](repeating: 0, count: Swift.min(rows, columns))
        var rank: Int32 = 0
        let cutoff = Scalar.ulpOfOne * Scalar(Swift.max(rows, columns))
        try LinearAlgebraError.check(
            Scalar._gelsd(rows, columns, b.columns, &a, &x, &s, cutoff, &rank), "gelsd"
        ) { .notConverged(routine: "gelsd", info: $0) }
        return Matrix(rows: columns, columns: b.columns, elements: Array(x.prefix(columns * b.columns)))
    }

    /// σ_max / σ_min in the 2-norm; infinite for a singular matrix.
    public func conditionNumber() throws(LinearAlgebraError) -> Scalar {
        let s = try singularValues()
        guard let largest = s.first, let smallest = s.last else { return 1 }
        return smallest > 0 ? largest / smallest : .infinity
    }

    /// An estimate of the 1-norm condition number from the LU factors.
    public func conditionEstimate() throws(LinearAlgebraError) -> Scalar {
        let reciprocal = try lu().reciprocalConditionEstimate()
        return reciprocal > 0 ? 1 / reciprocal : .infinity
    }
}
