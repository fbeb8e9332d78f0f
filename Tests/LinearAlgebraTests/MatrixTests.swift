import LinearAlgebra
import Testing

@Suite struct MatrixTests {
    @Test func layoutIsRowMajor() {
        let a = Matrix<Double>(rows: 2, columns: 3, elements: [1, 2, 3, 4, 5, 6])
        #expect(a[1, 0] == 4 && a.transposed.elements == [1, 4, 2, 5, 3, 6])
        #expect(a.frobeniusNorm == 91.0.squareRoot() && Matrix<Double>(Matrix<Float>(a)) == a)
        #expect(a.withView { $0.window(rows: 1..<2, columns: 1..<3)[0, 1] } == 6)
    }

    /// gemm against its naive twin, on windows of larger matrices so that strides differ from widths.
    @Test(arguments: [(1, 1, 1), (3, 5, 2), (17, 9, 23), (32, 33, 31)], [false, true])
    func productsAgreeWithTheTwin(_ sizes: (Int, Int, Int), _ transposed: Bool) throws {
        try check(sizes, transposed, tolerance: 1e-12, as: Double.self)
        try check(sizes, transposed, tolerance: 1e-3, as: Float.self)
    }

    private func check<Scalar: RealScalar>(
        _ sizes: (Int, Int, Int), _ transposed: Bool, tolerance: Double, as type: Scalar.Type
    ) throws {
        let (m, n, k) = sizes
        let a: Matrix<Scalar> = randomMatrix(m, k, "a")
        let b: Matrix<Scalar> = randomMatrix(k, n, "b")
        func framed(_ x: Matrix<Scalar>) -> Matrix<Scalar> {
            var frame = Matrix<Scalar>(rows: x.rows + 2, columns: x.columns + 3, repeating: 7)
            for i in 0..<x.rows { for j in 0..<x.columns { frame[i + 1, j + 2] = x[i, j] } }
            return frame
        }
        let (left, right) = (framed(transposed ? a.transposed : a), framed(transposed ? b.transposed : b))
        var c = Matrix<Scalar>(rows: m, columns: n, repeating: .nan)
        try left.withView { left in
            try right.withView { right in
                try c.withMutableView {
                    try Products.multiply(
                        left.window(rows: 1..<left.rows - 1, columns: 2..<left.columns - 1), leftTransposed: transposed,
                        by: right.window(rows: 1..<right.rows - 1, columns: 2..<right.columns - 1),
                        rightTransposed: transposed, into: $0)
                }
            }
        }
        #expect(distance(c, Products.naiveProduct(a, b)) < tolerance)
    }

    @Test func shapesMustAgree() {
        let a: Matrix<Double> = randomMatrix(2, 3, "a")
        var c = Matrix<Double>(rows: 2, columns: 2, repeating: 0)
        #expect(throws: LinearAlgebraError.self) {
            try a.withView { a in try c.withMutableView { try Products.multiply(a, by: a, into: $0) } }
        }
    }

    @Test func theLibraryIsNamed() {
        #expect(BLASInfo.version.hasPrefix("OpenBLAS ") && !BLASInfo.coreType.isEmpty)
        #expect([128, 256, 512].contains(BLASInfo.cpuVectorBits))
        #expect(BLASInfo.vectorBits(ofCore: "Haswell") == 256 && BLASInfo.vectorBits(ofCore: "Cooperlake") == 512)
        #expect(BLASInfo.vectorBits(ofCore: "unheard-of") == 0)
        let before = BLASThreads.current
        BLASThreads.use(1)
        #expect(BLASThreads.current == 1)
        BLASThreads.use(before)
    }
}
