import LinearAlgebra
import Testing

@Suite struct FactorizationTests {
    @Test(arguments: [1, 2, 7, 33])
    func inverseAndSolve(_ n: Int) throws {
        let a: Matrix<Double> = randomMatrix(n, n, "lu\(n)")
        let condition = try a.conditionNumber()
        let tolerance = 1e-14 * condition * Double(n)
        #expect(try distance(a * a.inverse(), identity(n)) < tolerance)
        let b: Matrix<Double> = randomMatrix(n, 3, "b")
        #expect(try distance(a * a.solve(b), b) < tolerance)
        let single = Matrix<Float>(a)
        #expect(try distance(single * single.inverse(), Matrix.identity(n)) < tolerance * 1e9)
        #expect(try distance(single * single.solve(Matrix<Float>(b)), Matrix<Float>(b)) < tolerance * 1e9)
    }

    @Test(arguments: [(5, 5), (9, 4), (4, 9), (1, 6), (6, 1)])
    func qrAndSVD(_ m: Int, _ n: Int) throws {
        let a: Matrix<Double> = randomMatrix(m, n, "qr")
        let k = min(m, n)
        let (q, r) = try a.qr()
        #expect([q.rows, q.columns, r.rows, r.columns] == [m, k, k, n])
        #expect(distance(Products.naiveProduct(q, r), a) < 1e-13)
        #expect(distance(Products.naiveProduct(q.transposed, q), identity(k)) < 1e-14 * Double(m + n))
        for i in 0..<k { for j in 0..<min(i, n) { #expect(r[i, j] == 0) } }

        let (u, s, vt) = try a.svd()
        #expect([u.rows, u.columns, vt.rows, vt.columns] == [m, k, k, n])
        #expect(distance(Products.naiveProduct(scalingColumns(of: u, by: s), vt), a) < 1e-13)
        #expect(distance(Products.naiveProduct(u.transposed, u), identity(k)) < 1e-13)
        #expect(distance(Products.naiveProduct(vt, vt.transposed), identity(k)) < 1e-13)
        #expect(zip(s, s.dropFirst()).allSatisfy { $0 >= $1 } && s.allSatisfy { $0 > 0 })
        #expect(try zip(s, a.singularValues()).allSatisfy { abs($0 - $1) < 1e-13 })

        let single = Matrix<Float>(a)
        let (qs, rs) = try single.qr()
        #expect(distance(qs * rs, single) < 1e-4)
        let (us, ss, vts) = try single.svd()
        #expect(distance(scalingColumns(of: us, by: ss) * vts, single) < 1e-4)
    }

    @Test func symmetricEigenReadsTheUpperTriangle() throws {
        let g: Matrix<Double> = randomMatrix(6, 6, "eigen")
        let a = g * g.transposed
        var upper = a
        for i in 0..<6 { for j in 0..<i { upper[i, j] = 99 } }
        let (values, rows) = try upper.symmetricEigen()
        let z = rows.transposed
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(distance(a * z, scalingColumns(of: z, by: values)) < 1e-12)
        #expect(distance(z.transposed * z, identity(6)) < 1e-13)
        let (singleValues, _) = try Matrix<Float>(a).symmetricEigen()
        #expect(zip(values, singleValues).allSatisfy { abs($0 - Double($1)) < 1e-3 })
    }

    @Test func leastSquares() throws {
        let a: Matrix<Double> = randomMatrix(9, 4, "ls")
        let b: Matrix<Double> = randomMatrix(9, 2, "rhs")
        let x = try a.leastSquares(b)
        // The residual is orthogonal to the columns of A.
        let fit = a * x
        var residual = b
        for i in 0..<9 { for j in 0..<2 { residual[i, j] -= fit[i, j] } }
        #expect(distance(a.transposed * residual, Matrix(rows: 4, columns: 2, repeating: 0)) < 1e-13)
        #expect(residual.frobeniusNorm > 0.1)

        // Underdetermined: exact, and in the row space (least norm).
        let wide = a.transposed
        let c: Matrix<Double> = randomMatrix(4, 2, "wide")
        let y = try wide.leastSquares(c)
        #expect(distance(wide * y, c) < 1e-12)
        let gram = wide * wide.transposed
        #expect(try distance(y, wide.transposed * gram.solve(c)) < 1e-12)
        #expect(try distance(Matrix<Float>(a).leastSquares(Matrix<Float>(b)), Matrix<Float>(x)) < 1e-4)
    }

    @Test func conditionNumbers() throws {
        let a = Matrix<Double>(rows: 2, columns: 2, elements: [4, 0, 0, 0.5])
        #expect(try a.conditionNumber() == 8)
        #expect(try abs(a.conditionEstimate() - 8) < 1e-12)
        // κ₁ tells A from Aᵀ: here ‖A‖₁‖A⁻¹‖₁ = 10·12 against ∞-norms 11·11.
        let skew = Matrix<Double>(rows: 2, columns: 2, elements: [1, 10, 0, -1])
        #expect(try abs(skew.conditionEstimate() - 121) < 1e-9)
        let b = Matrix<Double>(rows: 3, columns: 3, elements: [1, 5, 0, 0, 1, 0, 0, 7, 1])
        let exact = try oneNorm(b) * oneNorm(b.inverse())
        #expect(try exact != (oneNorm(b.transposed) * oneNorm(b.transposed.inverse())))
        #expect(try abs(b.conditionEstimate() - exact) < 1e-9)
        let singular = Matrix<Double>(rows: 2, columns: 2, elements: [1, 2, 2, 4])
        #expect(throws: LinearAlgebraError.singular(routine: "getrf", pivot: 2)) { try singular.conditionEstimate() }
        #expect(try singular.conditionNumber() > 1e15)
    }

    private func oneNorm(_ a: Matrix<Double>) -> Double {
        (0..<a.columns).map { j in (0..<a.rows).reduce(0.0) { $0 + abs(a[$1, j]) } }.max() ?? 0
    }

    @Test func errors() {
        let wide: Matrix<Double> = randomMatrix(2, 3, "wide")
        #expect(
            throws: LinearAlgebraError.dimensionMismatch(
                operation: "LU", expected: "a square matrix", found: "2 x 3")
        ) { try wide.inverse() }
        #expect(throws: LinearAlgebraError.self) { try wide.symmetricEigen() }
        #expect(throws: LinearAlgebraError.self) { try wide.leastSquares(wide.transposed) }
        #expect(throws: LinearAlgebraError.self) { try identity(3).solve(wide) }
        let zero = Matrix<Double>(rows: 2, columns: 2, repeating: 0)
        #expect(throws: LinearAlgebraError.singular(routine: "getrf", pivot: 1)) { try zero.inverse() }
    }

    /// Rank deficient: the solution of least norm.
    @Test func leastNormOfADeficientSystem() throws {
        let a = Matrix<Double>(rows: 3, columns: 2, elements: [1, 1, 2, 2, 3, 3])
        let x = try a.leastSquares(Matrix(rows: 3, columns: 1, elements: [2, 4, 6]))
        #expect(distance(x, Matrix(rows: 2, columns: 1, elements: [1, 1])) < 1e-14)
    }

    @Test func emptyMatricesWork() throws {
        let tall = Matrix<Double>(rows: 3, columns: 0, repeating: 0)
        let none = Matrix<Double>(rows: 0, columns: 0, repeating: 0)
        #expect(tall * tall.transposed == Matrix(rows: 3, columns: 3, repeating: 0))
        #expect(try none.inverse() == none && tall.svd().s.isEmpty && tall.qr().q.columns == 0)
        #expect(try none.symmetricEigen().values.isEmpty && none.conditionNumber() == 1)
        #expect(try tall.leastSquares(tall).rows == 0)
    }
}
