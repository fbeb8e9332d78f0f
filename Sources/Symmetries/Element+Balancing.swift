import LinearAlgebra

extension Element {
    /// A·diag(2^e): the channels are scaled first, exactly, and acted on then.
    ///
    /// The members of a rotary pair cannot be scaled against each other. Both take the real one's exponent, and where the imaginary
    /// one's differs, z becomes the nearest of i, -1 and -i times its modulus, which exchanges the members without mixing them.
    ///
    /// - Precondition: one exponent per channel.
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
            var (real, imaginary) = (torus.real, torus.imaginary)
            for pair in real.indices {
                let (x, y) = torus.pairing.channels(ofPair: pair)
                if exponents[x] != exponents[y] {
                    let modulus = (real[pair] * real[pair] + imaginary[pair] * imaginary[pair]).squareRoot()
                    let isReal = real[pair].magnitude > imaginary[pair].magnitude
                    (real[pair], imaginary[pair]) =
                        isReal ? (-modulus, 0) : (0, imaginary[pair] < 0 ? -modulus : modulus)
                }
                real[pair] *= power(exponents[x])
                imaginary[pair] *= power(exponents[x])
            }
            return .torus(Torus(pairing: torus.pairing, real: real, imaginary: imaginary))
        case .monomial(let monomial):
            return .monomial(
                Monomial(
                    source: monomial.source,
                    scale: zip(monomial.source, monomial.scale).map { $1 * power(exponents[$0]) }))
        // Rounding costs a stream's weights the same whatever turns them.
        case .rotation: return self
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
