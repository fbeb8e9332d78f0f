import LinearAlgebra

extension Element {
    /// A·diag(2^e): the channels are scaled first, exactly, and acted on then.
    ///
    /// - Precondition: one exponent per channel, equal on both members of a rotary pair.
    public func balanced(by exponents: [Int]) -> Element {
        precondition(exponents.count == dimension, "one exponent per channel")
        func power(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }
        switch self {
        case .linear(let a):
            var (matrix, inverse) = (a.matrix, a.inverse)
            for i in exponents.indices {
                for j in exponents.indices {
                    matrix[i, j] *= power(exponents[j])
                    inverse[i, j] *= power(-exponents[i])
                }
            }
            let spread = (exponents.max() ?? 0) - (exponents.min() ?? 0)
            return .linear(
                InvertibleMatrix(matrix: matrix, inverse: inverse, condition: a.condition * power(spread)))
        case .torus(let torus):
            let scales = (0..<torus.pairing.pairCount).map { power(exponents[torus.pairing.channels(ofPair: $0).real]) }
            return .torus(
                Torus(
                    pairing: torus.pairing, real: zip(torus.real, scales).map { $0 * $1 },
                    imaginary: zip(torus.imaginary, scales).map { $0 * $1 }))
        case .monomial(let monomial):
            return .monomial(
                Monomial(
                    source: monomial.source,
                    scale: zip(monomial.source, monomial.scale).map { $1 * power(exponents[$0]) }))
        case .product(let factors):
            var (start, balanced) = (0, [Element]())
            for factor in factors {
                balanced.append(factor.balanced(by: Array(exponents[start..<start + factor.dimension])))
                start += factor.dimension
            }
            return .product(balanced)
        }
    }
}
