import LinearAlgebra

/// An orthogonal matrix R that turns the channels of a residual stream, in a form that can be applied.
public struct Rotation: Sendable {
    /// How R is drawn from the orthogonal group.
    public enum Form: String, Sendable, CaseIterable {
        /// Haar measure on O(d): a product costs d operations for each weight.
        case dense = "rotation"
        /// `S'·H·D·H·S` with random signed permutations S, random signs D and `H = (Q ⊗ H₂ₖ)/√2ᵏ`, d = m·2ᵏ: H₂ₖ is Sylvester's
        /// Hadamard matrix, Q a random orthogonal m x m matrix. It costs log d operations for each weight.
        case hadamard
    }

    /// What R is a product of.
    public enum Factor: Sendable {
        case monomial(Monomial)
        /// `y[q·n + h] = Σ Q[q, q'] H[h, h'] x[q'·n + h'] / √n`, n = `order`; H alone where Q is nil.
        case hadamard(order: Int, Matrix<Double>?)
        case dense(Matrix<Double>)

        var inverse: Factor {
            switch self {
            case .monomial(let monomial): .monomial(monomial.inverse)
            case .hadamard(let order, let factor): .hadamard(order: order, factor?.transposed)
            case .dense(let matrix): .dense(matrix.transposed)
            }
        }
    }

    public let dimension: Int
    /// In the order in which they act.
    public let factors: [Factor]

    /// - Precondition: every factor is orthogonal and acts on `dimension` channels.
    public init(dimension: Int, factors: [Factor]) { (self.dimension, self.factors) = (dimension, factors) }

    /// R⁻¹ = Rᵀ.
    public var inverse: Rotation {
        Rotation(dimension: dimension, factors: factors.reversed().map(\.inverse))
    }

    /// R as a dense matrix.
    public var matrix: Matrix<Double> {
        if factors.count == 1, case .dense(let matrix) = factors[0] { return matrix }
        // Column j of the transpose is the image of e_j.
        var rows = Matrix<Double>.identity(dimension).elements
        for factor in factors { rows = Self.apply(factor, toRows: rows, dimension) }
        return Matrix(rows: dimension, columns: dimension, elements: rows).transposed
    }

    /// By the definition: the oracle of the kernels.
    private static func apply(_ factor: Factor, toRows rows: [Double], _ d: Int) -> [Double] {
        var result = rows
        for start in stride(from: 0, to: rows.count, by: max(d, 1)) {
            switch factor {
            case .monomial(let monomial):
                for i in 0..<d { result[start + i] = monomial.scale[i] * rows[start + monomial.source[i]] }
            case .dense(let matrix):
                for i in 0..<d {
                    result[start + i] = (0..<d).reduce(0.0) { $0 + matrix[i, $1] * rows[start + $1] }
                }
            case .hadamard(let order, let factor):
                let m = d / order
                var turned = rows[start..<start + d].map { $0 / Double(order).squareRoot() }
                for q in 0..<m {
                    var length = 1
                    while length < order {
                        for block in stride(from: q * order, to: (q + 1) * order, by: 2 * length) {
                            for i in block..<block + length {
                                (turned[i], turned[i + length]) = (
                                    turned[i] + turned[i + length], turned[i] - turned[i + length]
                                )
                            }
                        }
                        length *= 2
                    }
                }
                for q in 0..<m {
                    for h in 0..<order {
                        result[start + q * order + h] =
                            factor.map { factor in
                                (0..<m).reduce(0.0) { $0 + factor[q, $1] * turned[$1 * order + h] }
                            } ?? turned[q * order + h]
                    }
                }
            }
        }
        return result
    }
}

extension Rotation {
    /// Draws R.
    ///
    /// - Parameter fixesOnes: R·1 = 1, as a norm that subtracts the mean asks for: with U orthogonal and U·e₀ = 1/√d, `R = U·R'·Uᵀ`
    ///   for an R' that fixes e₀.
    static func draw(
        _ form: Form, dimension d: Int, fixesOnes: Bool, using stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> Rotation {
        guard form == .hadamard else {
            return Rotation(
                dimension: d, factors: [.dense(try orthogonal(d, fixing: fixesOnes ? .ones : nil, &stream))])
        }
        let order = 1 << d.trailingZeroBitCount
        let m = d / order
        func hadamard() throws(LinearAlgebraError) -> Factor {
            .hadamard(order: order, m > 1 ? try orthogonal(m, fixing: fixesOnes ? .onesFromFirst : nil, &stream) : nil)
        }
        func permutation(signed: Bool) -> Factor {
            .monomial(
                Monomial(source: stream.permutation(d), scale: (0..<d).map { _ in signed ? stream.nextSign() : 1 }))
        }
        func signs() -> Factor {
            let first = fixesOnes ? 1 : stream.nextSign()
            return .monomial(
                Monomial(source: Array(0..<d), scale: [first] + (1..<max(d, 1)).map { _ in stream.nextSign() }))
        }
        let last = permutation(signed: !fixesOnes)
        // Where ones are to stay, Hᵀ carries them to e₀, whose sign stays, and H carries them back.
        let inner = try hadamard()
        return Rotation(
            dimension: d,
            factors: [
                permutation(signed: !fixesOnes), fixesOnes ? inner.inverse : inner, signs(), try hadamard(), last,
            ])
    }

    private enum Fixed { case ones, onesFromFirst }

    /// Haar measure on O(n); where something is fixed, on the complement: Q·1 = 1, or Q·e₀ = 1/√n.
    private static func orthogonal(
        _ n: Int, fixing fixed: Fixed?, _ stream: inout KeyedRandomStream
    ) throws(LinearAlgebraError) -> Matrix<Double> {
        guard let fixed else { return try RandomMatrices.haarOrthogonal(n, using: &stream).matrix }
        var matrix = Matrix<Double>.identity(n)
        if n > 1 {
            let rest = try RandomMatrices.haarOrthogonal(n - 1, using: &stream).matrix
            for i in 1..<n { for j in 1..<n { matrix[i, j] = rest[i - 1, j - 1] } }
        }
        // The reflection I - 2vvᵀ/vᵀv with v = e₀ - 1/√n exchanges e₀ and 1/√n.
        var v = [Double](repeating: -1 / Double(n).squareRoot(), count: n)
        v[0] += 1
        let square = v.reduce(0) { $0 + $1 * $1 }
        guard square > 0 else { return matrix }
        for j in 0..<n {
            let sum = (0..<n).reduce(0.0) { $0 + v[$1] * matrix[$1, j] } * 2 / square
            for i in 0..<n { matrix[i, j] -= v[i] * sum }
        }
        guard fixed == .ones else { return matrix }
        for i in 0..<n {
            let sum = (0..<n).reduce(0.0) { $0 + matrix[i, $1] * v[$1] } * 2 / square
            for j in 0..<n { matrix[i, j] -= sum * v[j] }
        }
        return matrix
    }
}
