import LinearAlgebra

extension Group {
    /// What rounding after a random element costs the product of a site's two sides, in multiples of rounding the sides as they
    /// are: predicted from the sizes of their channels before anything is drawn.
    ///
    /// With a_i, b_i the channels' sums of squares on the two sides, rounding the sides as they are costs `Σ a_i b_i`. A matrix of
    /// GL(n) spreads every channel over all: in the mean over Haar Q, `D·Q` and `Q` cost `(T + 2X)/(n + 2)` with `T = Σa Σb` and
    /// `X = Σ a_i b_i`, which is as much only where a and b are alike. For `U·diag(s)·Vᵀ` it is
    /// `(2X + P + R ((n + 2) g² - 3))/(n + 2)`, where `P = (T + 2X)/(n + 2)`, `R = (T - P)/(n - 1)`, and g is what it costs where all
    /// channels are alike. A torus turns pairs, whose rotations mix both members anyway: it costs nothing but for subnormal numbers.
    ///
    /// - Parameter exponents: the powers of two that go before the element, one per channel; empty for none.
    public func roundingMultiple(
        _ sampler: Sampler, condition: Double, powers: SitePowers, exponents: [Int] = []
    ) -> Double {
        let balanced = exponents.isEmpty ? powers : powers.balanced(by: exponents)
        switch self {
        case .product(let factors):
            var (start, worst) = (0, 1.0)
            for factor in factors {
                let range = start..<start + factor.dimension
                let own = exponents.isEmpty ? [] : Array(exponents[range])
                worst = max(
                    worst,
                    factor.roundingMultiple(
                        sampler, condition: condition, powers: powers.channels(range), exponents: own))
                start = range.upperBound
            }
            return worst
        case .generalLinear(let n):
            guard sampler != .exact, n > 1, powers.areUsable else { return 1 }
            return (mixingCost(sampler, condition: condition, powers: balanced) / powers.floor).squareRoot()
        case .torus(let pairing):
            guard sampler != .exact, powers.areUsable else { return 1 }
            let spread = Self.meanSquare(sampler == .orthogonal ? 1 : min(condition, 10))
            var (cost, floor) = (0.0, 0.0)
            for pair in 0..<pairing.pairCount {
                cost += balanced.turningCost(pairing.channels(ofPair: pair), spread: spread)
                floor += powers.turningCost(pairing.channels(ofPair: pair), spread: 1)
            }
            return floor > 0 ? (cost / floor).squareRoot() : 1
        case .torusPhases, .pairSigns, .pairScales, .monomial: return 1
        }
    }

    /// The squared error of the product after a random matrix of GL(n), as `roundingMultiple` has it.
    func mixingCost(_ sampler: Sampler, condition: Double, powers: SitePowers) -> Double {
        let n = Double(dimension)
        let (a, b) = (powers.direct.sum, powers.dual.sum)
        let alike = zip(powers.direct.squares, powers.dual.squares).reduce(0.0) { $0 + $1.0 * $1.1 }
        let own = (a * b + 2 * alike) / (n + 2)
        let other = (a * b - own) / (n - 1)
        let multiple = expectedRoundingMultiple(sampler, condition: condition)
        let cost = (2 * alike + own + other * ((n + 2) * multiple * multiple - 3)) / (n + 2)
        // A whole side may lie so low that rounding is absolute; there D, which is taken out again behind it, costs its mean square.
        let spread = sampler == .diagonalOrthogonal ? Self.meanSquare(condition) : 1
        func widened(_ side: SidePowers) -> Double {
            side.sum > 0 ? side.roundoff * max(1, n * spread * side.subnormal / side.sum) : 0
        }
        return (widened(powers.direct) + widened(powers.dual)) * cost
    }

    /// The mean of s² for log s uniform between K^(-1/2) and K^(1/2): `(K - 1/K) / (2 ln K)`.
    static func meanSquare(_ condition: Double) -> Double {
        condition > 1.0001 ? (condition - 1 / condition) / (2 * PortableMath.log(condition)) : 1
    }
}

extension SitePowers {
    /// The squared error of one rotary pair's products in the mean over positions: every channel of one side meets both of the other.
    func turningCost(_ pair: (real: Int, imaginary: Int), spread: Double) -> Double {
        func own(_ side: SidePowers) -> Double { side.squares[pair.real] + side.squares[pair.imaginary] }
        func noise(_ side: SidePowers) -> Double {
            spread == 1
                ? side.noise(side.squares[pair.real]) + side.noise(side.squares[pair.imaginary])
                : side.roundoff * max(own(side), 2 * spread * side.subnormal)
        }
        return (noise(direct) * own(dual) + own(direct) * noise(dual)) / 2
    }
}
