/// An invertible matrix with its inverse, both made in f64, and its 2-norm condition number.
public struct InvertibleMatrix: Sendable, Equatable {
    public let matrix: Matrix<Double>
    public let inverse: Matrix<Double>
    public let condition: Double

    public init(matrix: Matrix<Double>, inverse: Matrix<Double>, condition: Double) {
        self.matrix = matrix
        self.inverse = inverse
        self.condition = condition
    }
}

/// Random invertible matrices from a keyed stream.
public enum RandomMatrices {
    /// Draws before Gaussian rejection gives up.
    package static let maximumTries = 1000

    /// Haar measure on O(n): QR of a Gaussian matrix, columns of Q multiplied by sign(diag R) (Mezzadri, math-ph/0609050).
    public static func haarOrthogonal(
        _ n: Int, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: 1)
        var (q, r) = try stream.gaussianMatrix(rows: n, columns: n).qr()
        for j in 0..<n where r[j, j] < 0 {
            for i in 0..<n { q[i, j] = -q[i, j] }
        }
        return InvertibleMatrix(matrix: q, inverse: q.transposed, condition: 1)
    }

    /// U · diag(s) · Vᵀ with U, V Haar, log s uniform and the extremes exactly condition^(±1/2).
    public static func conditioned(
        _ n: Int, condition: Double, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: condition)
        let u = try haarOrthogonal(n, using: &stream)
        let v = try haarOrthogonal(n, using: &stream)
        let s = spectrum(n, condition: condition, using: &stream)
        return InvertibleMatrix(
            matrix: scalingColumns(of: u.matrix, by: s) * v.inverse,
            inverse: scalingColumns(of: v.matrix, by: s.map { 1 / $0 }) * u.inverse,
            condition: n > 1 ? condition : 1)
    }

    /// D·Q: Q Haar, D diagonal with random signs, log |D| uniform and the extremes exactly condition^(±1/2).
    public static func diagonalOrthogonal(
        _ n: Int, condition: Double, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: condition)
        let q = try haarOrthogonal(n, using: &stream)
        let order = stream.permutation(n)
        let sorted = spectrum(n, condition: condition, using: &stream)
        let d = order.map { sorted[$0] * stream.nextSign() }
        return InvertibleMatrix(
            matrix: scalingColumns(of: q.inverse, by: d).transposed,
            inverse: scalingColumns(of: q.inverse, by: d.map { 1 / $0 }), condition: n > 1 ? condition : 1)
    }

    /// Entries N(0, 1/n), rejected until the condition number is at most `maximumCondition`: LAPACK's 1-norm estimate, of
    /// which the 2-norm condition is at most n times and usually less, sieves; singular values decide.
    ///
    /// - Parameter shift: added on the diagonal.
    /// - Throws: `conditionOutOfReach` after 1000 draws.
    public static func gaussian(
        _ n: Int, maximumCondition: Double, plus shift: Double = 0, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: maximumCondition)
        var best = Double.infinity
        let scale = 1 / Double(max(n, 1)).squareRoot()
        for _ in 0..<maximumTries {
            var candidate = stream.gaussianMatrix(rows: n, columns: n)
            for i in candidate.elements.indices { candidate.elements[i] *= scale }
            if shift != 0 { for i in 0..<n { candidate[i, i] += shift } }
            guard let lu = try? candidate.lu() else { continue }
            // κ₂ ≥ κ₁ / n: a draw whose 1-norm condition is above n·max cannot pass.
            let estimate = 1 / (try lu.reciprocalConditionEstimate())
            guard estimate <= maximumCondition * Double(max(n, 1)) else {
                best = min(best, estimate)
                continue
            }
            let condition = try candidate.conditionNumber()
            best = min(best, condition)
            guard condition <= maximumCondition else { continue }
            return InvertibleMatrix(matrix: candidate, inverse: try lu.inverse(), condition: condition)
        }
        throw .conditionOutOfReach(dimension: n, maximum: maximumCondition, tries: maximumTries, best: best)
    }

    /// diag(a), a uniform between condition^(-1/2) and condition^(1/2).
    public static func diagonal(
        _ n: Int, condition: Double, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: condition)
        let (low, high) = (1 / condition.squareRoot(), condition.squareRoot())
        let a = (0..<n).map { _ in low + (high - low) * stream.nextUnit() }
        return InvertibleMatrix(
            matrix: .diagonal(a), inverse: .diagonal(a.map { 1 / $0 }), condition: (a.max() ?? 1) / (a.min() ?? 1))
    }

    /// U · diag(s) · Uᵀ with U Haar, log s uniform and the extremes exactly condition^(±1/2).
    public static func symmetric(
        _ n: Int, condition: Double, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: condition)
        let u = try haarOrthogonal(n, using: &stream)
        let s = spectrum(n, condition: condition, using: &stream)
        return InvertibleMatrix(
            matrix: scalingColumns(of: u.matrix, by: s) * u.inverse,
            inverse: scalingColumns(of: u.matrix, by: s.map { 1 / $0 }) * u.inverse, condition: n > 1 ? condition : 1)
    }

    /// (G + 10⁻³·1) · diag(s): G with entries N(0, 1/n) and a condition number of 100·n at most, and log s uniform between (1.5/K)^(1/2) and
    /// (1.5·K)^(1/2), the ends among them, in any order.
    public static func scaledGaussian(
        _ n: Int, condition: Double, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> InvertibleMatrix {
        try check(n, condition: condition)
        let gaussian = try gaussian(n, maximumCondition: 100 * Double(n), plus: 1e-3, using: &stream)
        let sorted = spectrum(n, condition: condition, using: &stream)
        let s = stream.permutation(n).map { 1.5.squareRoot() * sorted[$0] }
        let matrix = scalingColumns(of: gaussian.matrix, by: s)
        return InvertibleMatrix(
            matrix: matrix,
            inverse: scalingColumns(of: gaussian.inverse.transposed, by: s.map { 1 / $0 }).transposed,
            condition: try matrix.conditionNumber())
    }

    private static func check(_ n: Int, condition: Double) throws(LinearAlgebraError) {
        guard n >= 1, condition >= 1, condition.isFinite else {
            throw .invalidCondition(dimension: n, condition: condition)
        }
    }

    /// Log-uniform values in condition^(±1/2), the first and last at the exact ends.
    private static func spectrum(
        _ n: Int, condition: Double, using stream: inout KeyedRandomStream
    ) -> [Double] {
        guard n > 1 else { return [Double](repeating: 1, count: n) }
        let span = PortableMath.log(condition) / PortableMath.log(2)
        let inner = (0..<n - 2).map { _ in PortableMath.exp2((stream.nextUnit() - 0.5) * span) }
        return [condition.squareRoot()] + inner + [1 / condition.squareRoot()]
    }

    private static func scalingColumns(of matrix: Matrix<Double>, by scales: [Double]) -> Matrix<Double> {
        var result = matrix
        for i in 0..<matrix.rows {
            for j in 0..<matrix.columns { result[i, j] *= scales[j] }
        }
        return result
    }
}
