import LinearAlgebra

/// A stream of its own for each test.
func stream(_ label: String) -> KeyedRandomStream { KeyedRandomStream(secret: Array(0..<32), info: "tests/" + label) }

/// A Gaussian matrix in either precision.
func randomMatrix<Scalar: RealScalar>(_ rows: Int, _ columns: Int, _ label: String) -> Matrix<Scalar> {
    var random = stream(label)
    return Matrix(random.gaussianMatrix(rows: rows, columns: columns))
}

/// max |a - b|, infinite where the shapes differ or NaN appears.
func distance<Scalar: RealScalar>(_ a: Matrix<Scalar>, _ b: Matrix<Scalar>) -> Double {
    guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
    var largest = 0.0
    for (x, y) in zip(a.elements, b.elements) {
        let difference = abs(Double(x) - Double(y))
        guard !difference.isNaN else { return .infinity }
        largest = max(largest, difference)
    }
    return largest
}

func identity(_ n: Int) -> Matrix<Double> { Matrix.identity(n) }

func scalingColumns<Scalar: RealScalar>(of matrix: Matrix<Scalar>, by scales: [Scalar]) -> Matrix<Scalar> {
    var result = matrix
    for i in 0..<matrix.rows { for j in 0..<matrix.columns { result[i, j] *= scales[j] } }
    return result
}

/// The error in units of the last place of the reference.
func ulps(_ value: Double, _ reference: Double) -> Double {
    value == reference ? 0 : abs(value - reference) / reference.ulp
}
