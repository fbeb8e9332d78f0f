import LinearAlgebra

/// How an element is drawn from a site's group.
///
/// For GL(n) the samplers differ in what rounding to few bits costs (`Element.roundingMultiple`); on a torus they
/// differ in the range of |z|; discrete groups know only one law.
public enum Sampler: String, Sendable, CaseIterable {
    /// D·Q: diagonal with condition number K times Haar orthogonal. Rounding-neutral and as far from the identity as
    /// wished: the default.
    case diagonalOrthogonal = "dq"
    /// U·diag(s)·Vᵀ with condition number exactly K.
    case conditioned
    /// Haar orthogonal; |z| = 1.
    case orthogonal
    /// Gaussian entries, rejected until the condition number is at most K.
    case gaussian
    /// Signed permutations times powers of two, and z = iᵐ·2ᵏ: moves bits, rounds nothing.
    case exact
    /// diag(a) with a uniform between K^(-1/2) and K^(1/2), on a torus one real factor per pair; channels of MLPs are permuted. This and
    /// the next two are PaRaMS's (arXiv 2503.07661).
    case diagonal
    /// U·diag(s)·Uᵀ with U Haar and log s uniform between K^(-1/2) and K^(1/2); on a torus as `diagonal` with log a uniform.
    case symmetric
    /// (G + 10⁻³·1)·diag(s) with Gaussian G and log s uniform between (1.5/K)^(1/2) and (1.5·K)^(1/2), which is 0.1 … 15 for K = 150; drawn
    /// again while its rounding would cost more than is foretold. On a torus as `symmetric`.
    case nonsymmetric
    /// 1 - 2·U·Uᵀ: the mirror image along some directions, on pairs along whole pairs. Not drawn but solved for, from the weights' energy
    /// (MergeBarrier, arXiv 2511.10712); a draw takes half of all directions at random.
    case reflection

    /// Whether an element draws on several channels of a general linear group, or on both members of a rotary pair.
    var mixesChannels: Bool { self != .exact && self != .diagonal }
    var mixesPairs: Bool { self != .exact && self != .reflection && !isPositive }
    /// Whether scales are positive wherever that moves anything, and channels are permuted without.
    var isPositive: Bool { [.diagonal, .symmetric, .nonsymmetric].contains(self) }

    /// The condition number used when the user names none.
    public var defaultCondition: Double {
        switch self {
        case .diagonalOrthogonal, .conditioned: 10
        case .orthogonal, .reflection: 1
        case .gaussian: 1000
        case .exact: 4
        case .diagonal, .symmetric: 400
        case .nonsymmetric: 150
        }
    }
}

extension Group {
    /// c of `expectedRoundingMultiple`.
    private static let gaussianCost = 2.0
    /// Draws in a row that may be the identity; that all are has a probability of 2^-64 at most.
    private static let draws = 64

    /// Draws an element.
    ///
    /// - Parameters:
    ///   - condition: K ≥ 1, the condition number (or its bound) of what is drawn; exact scales are drawn from 2^-e … 2^e with
    ///     `4^e ≤ K`, so K < 4 leaves them out.
    ///   - stream: the site's own keyed stream.
    ///   - avoidsIdentity: draw again from the same stream where the element hardly moves anything, as happens in small groups.
    ///     Elements of manifests of version 1 were drawn without.
    public func sample(
        _ sampler: Sampler, condition: Double, using stream: inout KeyedRandomStream, avoidsIdentity: Bool = true
    ) throws(LinearAlgebraError) -> Element {
        let again = avoidsIdentity && isMoved(by: sampler, condition: condition) ? Self.draws : 1
        var element = try draw(sampler, condition: condition, using: &stream, avoidsIdentity: avoidsIdentity)
        for _ in 1..<again where element.isNearIdentity {
            element = try draw(sampler, condition: condition, using: &stream, avoidsIdentity: avoidsIdentity)
        }
        return element
    }

    private func draw(
        _ sampler: Sampler, condition: Double, using stream: inout KeyedRandomStream, avoidsIdentity: Bool
    ) throws(LinearAlgebraError) -> Element {
        switch self {
        case .generalLinear(let n):
            switch sampler {
            case .diagonalOrthogonal:
                return .linear(
                    try RandomMatrices.diagonalOrthogonal(n, condition: condition, using: &stream))
            case .conditioned:
                return .linear(try RandomMatrices.conditioned(n, condition: condition, using: &stream))
            case .orthogonal: return .linear(try RandomMatrices.haarOrthogonal(n, using: &stream))
            case .gaussian:
                return .linear(try RandomMatrices.gaussian(n, maximumCondition: condition, using: &stream))
            case .exact:
                return .monomial(exactMonomial(n, scales: .signed, condition: condition, using: &stream))
            case .diagonal: return .linear(try RandomMatrices.diagonal(n, condition: condition, using: &stream))
            case .symmetric: return .linear(try RandomMatrices.symmetric(n, condition: condition, using: &stream))
            case .reflection:
                let half = try stream.gaussianMatrix(rows: n, columns: max(1, n / 2)).qr().q
                return .reflection(along: half)
            case .nonsymmetric:
                let most = expectedRoundingMultiple(sampler, condition: condition)
                for _ in 0..<Self.draws {
                    let drawn = Element.linear(
                        try RandomMatrices.scaledGaussian(n, condition: condition, using: &stream))
                    if drawn.roundingMultiple <= most * (1 + 1e-9) { return drawn }
                }
                throw .roundingOutOfReach(dimension: n, multiple: most, tries: Self.draws)
            }
        case .torus(let pairing) where sampler == .reflection, .torusPhases(let pairing) where sampler == .reflection:
            return .monomial(pairing.diagonal((0..<pairing.pairCount).map { _ in stream.nextSign() }))
        case .torus(let pairing):
            if sampler.isPositive {
                return .torus(positiveTorus(pairing, sampler, condition: condition, using: &stream))
            }
            return sampler == .exact
                ? .monomial(exactTorus(pairing, condition: condition, using: &stream))
                : .torus(
                    torus(pairing, condition: sampler == .orthogonal ? 1 : min(condition, 10), using: &stream))
        // Real factors of modulus one.
        case .torusPhases(let pairing) where sampler.isPositive:
            return .monomial(pairing.diagonal((0..<pairing.pairCount).map { _ in stream.nextSign() }))
        case .torusPhases(let pairing):
            return sampler == .exact
                ? .monomial(exactTorus(pairing, condition: 1, using: &stream))
                : .torus(torus(pairing, condition: 1, using: &stream))
        case .pairSigns(let pairing):
            return .monomial(pairing.diagonal((0..<pairing.pairCount).map { _ in stream.nextSign() }))
        case .pairScales(let pairing):
            let scales = (0..<pairing.pairCount).map { _ in
                sampler == .exact
                    ? exactScale(condition: condition, using: &stream)
                    : logUniform(condition: min(condition, 10), using: &stream)
            }
            return .monomial(pairing.diagonal(scales))
        case .orthogonal(let n, let form, let fixesOnes):
            return .rotation(try Rotation.draw(form, dimension: n, fixesOnes: fixesOnes, using: &stream))
        case .monomial(let n, let scales):
            // Powers of two are for exact elements, which are tried again without them where they would lose bits.
            return .monomial(
                exactMonomial(
                    n, scales: sampler.isPositive ? .unit : scales, condition: sampler == .exact ? condition : 1,
                    using: &stream))
        case .product(let factors):
            var elements: [Element] = []
            for factor in factors {
                elements.append(
                    try factor.sample(
                        sampler, condition: condition, using: &stream, avoidsIdentity: avoidsIdentity))
            }
            return .product(elements)
        }
    }

    /// The mean of `Element.roundingMultiple` over draws, before anything is drawn: 1 but for general matrices.
    ///
    /// For U·diag(s)·Vᵀ and U·diag(s)·Uᵀ in GL(n) it is `sqrt((n q² + 2) / (n + 2))`, where `q = (K + 1/K + (n - 2) m) / n` is the mean of s²: two of
    /// the s are K^(±1/2), and the others, log-uniform between, have `m = (K - 1/K) / (2 ln K)`, which is all that is left in large
    /// heads. Used as an upper estimate for the Gaussian too. For G·diag(s), whose cost has a long tail, it is where that
    /// tail is cut: `m·sqrt(2n)`.
    public func expectedRoundingMultiple(_ sampler: Sampler, condition: Double) -> Double {
        switch self {
        case .product(let factors):
            return factors.map { $0.expectedRoundingMultiple(sampler, condition: condition) }.max() ?? 1
        case .generalLinear(let count) where count > 1 && sampler == .nonsymmetric:
            return Self.meanSquare(condition) * (Self.gaussianCost * Double(count)).squareRoot()
        case .generalLinear(let count) where count > 1 && condition > 1.0001:
            let n = Double(count)
            guard [.conditioned, .gaussian, .symmetric].contains(sampler) else { return 1 }
            let mean = (condition + 1 / condition + (n - 2) * Self.meanSquare(condition)) / n
            return ((n * mean * mean + 2) / (n + 2)).squareRoot()
        default: return 1
        }
    }

    /// False when every draw is the identity: scales alone, and none allowed; one channel without a scale.
    public func isMoved(by sampler: Sampler, condition: Double) -> Bool {
        switch self {
        case .pairScales where sampler == .reflection, .monomial where sampler == .reflection,
            .orthogonal where sampler == .reflection:
            false
        case .pairScales: sampler != .orthogonal && condition > 1 && (sampler != .exact || condition >= 4)
        case .monomial(1, .unit): false
        case .monomial(1, _) where sampler.isPositive: false
        case .orthogonal(let n, _, let fixesOnes): n > (fixesOnes ? 2 : 1)
        case .monomial(1, .positive): sampler == .exact && condition >= 4
        default: true
        }
    }

    private func torus(
        _ pairing: ChannelPairing, condition: Double, using stream: inout KeyedRandomStream
    ) -> Torus {
        var real: [Double] = []
        var imaginary: [Double] = []
        for _ in 0..<pairing.pairCount {
            let modulus = logUniform(condition: condition, using: &stream)
            let (sine, cosine) = PortableMath.sinCosTwoPi(stream.nextUnit())
            real.append(modulus * cosine)
            imaginary.append(modulus * sine)
        }
        return Torus(pairing: pairing, real: real, imaginary: imaginary)
    }

    /// One positive factor per pair.
    private func positiveTorus(
        _ pairing: ChannelPairing, _ sampler: Sampler, condition: Double, using stream: inout KeyedRandomStream
    ) -> Torus {
        let (low, high) = (1 / condition.squareRoot(), condition.squareRoot())
        let offset = sampler == .nonsymmetric ? 1.5.squareRoot() : 1
        let real = (0..<pairing.pairCount).map { _ in
            sampler == .diagonal
                ? low + (high - low) * stream.nextUnit() : offset * logUniform(condition: condition, using: &stream)
        }
        return Torus(pairing: pairing, real: real, imaginary: [Double](repeating: 0, count: real.count))
    }

    /// z = iᵐ·2ᵏ per pair, as the monomial that it is on the pair's two channels.
    private func exactTorus(
        _ pairing: ChannelPairing, condition: Double, using stream: inout KeyedRandomStream
    ) -> Monomial {
        var source = Array(0..<pairing.rotaryDimensions)
        var scale = [Double](repeating: 1, count: pairing.rotaryDimensions)
        for p in 0..<pairing.pairCount {
            let (a, b) = pairing.channels(ofPair: p)
            let quarterTurns = stream.nextIndex(below: 4)
            let modulus = exactScale(condition: condition, using: &stream)
            if quarterTurns % 2 == 1 { (source[a], source[b]) = (b, a) }
            // Multiplication by 1, i, -1, -i maps (x, y) to (x, y), (-y, x), (-x, -y), (y, -x).
            scale[a] = quarterTurns == 1 || quarterTurns == 2 ? -modulus : modulus
            scale[b] = quarterTurns == 2 || quarterTurns == 3 ? -modulus : modulus
        }
        return Monomial(source: source, scale: scale)
    }

    private func exactMonomial(
        _ n: Int, scales: ChannelScales, condition: Double, using stream: inout KeyedRandomStream
    ) -> Monomial {
        let source = stream.permutation(n)
        let scale: [Double] = (0..<n).map { _ in
            switch scales {
            case .unit: 1
            case .signs: stream.nextSign()
            case .positive: exactScale(condition: condition, using: &stream)
            case .signed: stream.nextSign() * exactScale(condition: condition, using: &stream)
            }
        }
        return Monomial(source: source, scale: scale)
    }

    /// 2ᵏ, k uniform in -e … e with the largest e for which 4^e ≤ condition.
    private func exactScale(condition: Double, using stream: inout KeyedRandomStream) -> Double {
        let reach = condition >= 4 && condition.isFinite ? condition.exponent / 2 : 0
        guard reach > 0 else { return 1 }
        let k = stream.nextIndex(below: 2 * Int(reach) + 1) - Int(reach)
        return Double(sign: .plus, exponent: k, significand: 1)
    }

    /// exp of a uniform draw from ±½ ln(condition).
    private func logUniform(condition: Double, using stream: inout KeyedRandomStream) -> Double {
        guard condition > 1 else { return 1 }
        let span = PortableMath.log(condition) / PortableMath.log(2)
        return PortableMath.exp2((stream.nextUnit() - 0.5) * span)
    }
}

extension Element {
    /// 1 - 2·U·Uᵀ for U with orthonormal columns.
    public static func reflection(along directions: Matrix<Double>) -> Element {
        let n = directions.rows
        var mirror = directions * directions.transposed
        for i in 0..<n {
            for j in 0..<n { mirror[i, j] = (i == j ? 1 : 0) - 2 * mirror[i, j] }
        }
        return .linear(InvertibleMatrix(matrix: mirror, inverse: mirror.transposed, condition: 1))
    }

    /// -1 on both channels of some rotary pairs.
    public static func flips(_ flipped: [Bool], of pairing: ChannelPairing) -> Element {
        .monomial(pairing.diagonal(flipped.map { $0 ? -1 : 1 }))
    }
}

extension ChannelPairing {
    /// One scale per pair, on both of its channels.
    func diagonal(_ scales: [Double]) -> Monomial {
        var scale = [Double](repeating: 1, count: rotaryDimensions)
        for p in 0..<pairCount {
            let (a, b) = channels(ofPair: p)
            scale[a] = scales[p]
            scale[b] = scales[p]
        }
        return Monomial(source: Array(0..<rotaryDimensions), scale: scale)
    }
}
