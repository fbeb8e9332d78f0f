import LinearAlgebra

extension AlignmentMethod {
    /// One element for both sides of a site: T = A⁻¹ minimises `a·‖T L - L₀‖² + b·‖R - Tᵀ R₀‖²`, each side weighed by its size, which is a
    /// Sylvester equation; solved three times, in coordinates where T is nearly the identity.
    public static let coupled = AlignmentMethod(
        name: "coupled",
        summary: "one element for both sides of a site by least squares, T: min a·‖T L - L₀‖² + b·‖R - Tᵀ R₀‖²",
        linear: { try fitted($0, weighing: false) })

    /// The same, each side weighed again and again by how near the base's it comes, until the side that somebody has spoilt counts for little: the most
    /// likely T where the spread of each side is unknown.
    public static let reweighted = AlignmentMethod(
        name: "reweighted",
        summary: "coupled, each side weighed anew by how near it came: a = 1/‖T L - L₀‖², b likewise",
        linear: { try fitted($0, weighing: true) })

    private static func fitted(_ sides: Sides, weighing: Bool) throws -> InvertibleMatrix {
        var (left, right) = (sides.left, sides.right)
        let (left0, right0) = (sides.left0, sides.right0)
        func share(_ side: Matrix<Double>) -> Double { side.squaredNorm > 0 ? 1 / side.squaredNorm : 0 }
        var (a, b) = (share(left0), share(right0))
        let (first, second) = (a, b)
        var total = Matrix<Double>.identity(left.rows)
        for step in 0..<(weighing ? 8 : 3) {
            if weighing, step > 1 {
                // Below a millionth of itself no side comes nearer than another.
                a = first / max((left - left0).squaredNorm * first, 1e-12)
                b = second / max((right - right0).squaredNorm * second, 1e-12)
            }
            let step = try sylvester(
                (right0 * right0.transposed) * b, (left * left.transposed) * a,
                (left0 * left.transposed) * a + (right0 * right.transposed) * b)
            total = step * total
            left = step * left
            right = try step.inverse().transposed * right
        }
        return try InvertibleMatrix(undoing: total)
    }

    /// X with `P·X + X·Q = C` for symmetric P and Q: in the coordinates of their eigenvectors each entry is divided by a sum of eigenvalues.
    private static func sylvester(
        _ p: Matrix<Double>, _ q: Matrix<Double>, _ c: Matrix<Double>
    ) throws -> Matrix<Double> {
        let (p, q) = (try p.symmetricEigen(), try q.symmetricEigen())
        let inner = p.vectors * c * q.vectors.transposed
        let least = 1e-13 * ((p.values.last ?? 0) + (q.values.last ?? 0))
        let divided = inner.elements.enumerated().map { place, value in
            let sum = p.values[place / inner.columns] + q.values[place % inner.columns]
            return sum > least ? value / sum : 0
        }
        let solved = Matrix(rows: inner.rows, columns: inner.columns, elements: divided)
        return p.vectors.transposed * solved * q.vectors
    }
}

extension InvertibleMatrix {
    /// A for T = A⁻¹.
    init(undoing inverse: Matrix<Double>) throws {
        let matrix = try inverse.inverse()
        self.init(matrix: matrix, inverse: inverse, condition: try matrix.conditionEstimate())
    }
}
