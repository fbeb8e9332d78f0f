import LinearAlgebra

extension Group {
    /// What rounding after a random element costs the product of a site's two sides, in multiples of rounding the sides as they
    /// are: predicted from the sizes of their channels before anything is drawn.
    ///
    /// With a_i, b_i the channels' sums of squares on the two sides, rounding the sides as they are costs `Σ a_i b_i`. A matrix of
    /// GL(n) spreads every channel over all: in the mean over Haar Q, `D·Q` and `Q` cost `(T + 2X)/(n + 2)` with `T = Σa Σb` and
    /// `X = Σ a_i b_i`, which is as much only where a and b are alike. For `U·diag(s)·Vᵀ` it is
    /// `(2X + P + R ((n + 2) g² - 3))/(n + 2)`, where `P = (T + 2X)/(n + 2)`, `R = (T - P)/(n - 1)`, and g is what it costs where all
    /// channels are alike. A torus mixes the two
    /// members of each pair, as for n = 2; a pair whose exponents differ is turned by quarter turns alone (`Element.balanced`), which
    /// mix nothing. Pairs are looked at where the rotations of queries and keys agree, as those of low frequency do everywhere.
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
            guard sampler.mixesChannels, n > 1, powers.areUsable else { return 1 }
            return (mixingCost(sampler, condition: condition, powers: balanced) / powers.floor).squareRoot()
        case .torus(let pairing), .torusPhases(let pairing):
            guard sampler.mixesPairs, powers.areUsable else { return 1 }
            let spread = turningSpread(sampler, condition: condition)
            let cost = (0..<pairing.pairCount).reduce(0.0) { sum, pair in
                let (x, y) = pairing.channels(ofPair: pair)
                let exponents = exponents.isEmpty ? (0, 0) : (exponents[x], exponents[y])
                return sum + powers.pair(x, y).turningCost(exponents, spread: spread)
            }
            return (cost / powers.floor).squareRoot()
        case .pairSigns, .pairScales, .monomial, .orthogonal: return 1
        }
    }

    /// The squared error of the product after a random matrix of GL(n), as `roundingMultiple` has it.
    func mixingCost(_ sampler: Sampler, condition: Double, powers: SitePowers) -> Double {
        let multiple = expectedRoundingMultiple(sampler, condition: condition)
        // A whole side may lie so low that rounding is absolute; there D, which is taken out again behind it, costs its mean square.
        return powers.mixingCost(
            multiple: multiple, spread: sampler == .diagonalOrthogonal ? Self.meanSquare(condition) : 1)
    }

    /// The mean square of the moduli that are drawn on a torus.
    func turningSpread(_ sampler: Sampler, condition: Double) -> Double {
        guard case .torus = self, sampler != .orthogonal else { return 1 }
        return Self.meanSquare(min(condition, 10))
    }

    /// The mean of s² for log s uniform between K^(-1/2) and K^(1/2): `(K - 1/K) / (2 ln K)`.
    static func meanSquare(_ condition: Double) -> Double {
        condition > 1.0001 ? (condition - 1 / condition) / (2 * PortableMath.log(condition)) : 1
    }
}

extension SitePowers {
    /// The squared error of the product after a random matrix that costs `multiple` where all channels are alike, and whose rows have
    /// this mean square, taken out again behind them.
    fileprivate func mixingCost(multiple: Double, spread: Double) -> Double {
        let n = Double(direct.squares.count)
        let (a, b) = (direct.sum, dual.sum)
        let alike = zip(direct.squares, dual.squares).reduce(0.0) { $0 + $1.0 * $1.1 }
        let own = (a * b + 2 * alike) / (n + 2)
        let other = (a * b - own) / (n - 1)
        let cost = (2 * alike + own + other * ((n + 2) * multiple * multiple - 3)) / (n + 2)
        func widened(_ side: SidePowers) -> Double {
            side.sum > 0 ? side.roundoff * max(1, n * spread * side.subnormal / side.sum) : 0
        }
        return (widened(direct) + widened(dual)) * cost
    }

    func pair(_ x: Int, _ y: Int) -> SitePowers {
        SitePowers(direct: direct.only([x, y]), dual: dual.only([x, y]))
    }

    /// The squared error of a pair's product after turning it, with a modulus of this mean square and these exponents: by any angle
    /// where they are the same, by quarter turns where they differ.
    func turningCost(_ exponents: (Int, Int), spread: Double) -> Double {
        let balanced = balanced(by: [exponents.0, exponents.0])
        guard exponents.0 != exponents.1 else { return balanced.mixingCost(multiple: 1, spread: spread) }
        let (direct, dual) = (balanced.direct, balanced.dual)
        return zip(direct.squares, dual.squares).reduce(0.0) { sum, channel in
            let (a, b) = channel
            return sum + direct.roundoff * max(a, spread * direct.subnormal) * b
                + a * dual.roundoff * max(b, spread * dual.subnormal)
        }
    }
}
