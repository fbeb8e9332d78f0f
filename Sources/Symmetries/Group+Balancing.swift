import LinearAlgebra

extension Group {
    /// Exponents beyond these are cut: weights so far apart are not in use together.
    private static let reach = 100
    /// The share of the squared cost that balancing must leave at most, to be worth it.
    private static let gain = 0.9

    /// The exponents e for which diag(2^e) before a random element makes both sides of every channel about as large, so that mixing
    /// channels costs small ones nothing; empty where the channels are balanced well enough as they are.
    ///
    /// `e_i = round(¼ log₂(b_i/a_i) - φ)`, with a_i and b_i the channels' sums of squares on the two sides and one offset φ, an eighth
    /// or more, that rounds most kindly. Channels that hardly take part in the product are moved only so far that
    /// what restoring rounds stays in proportion to the whole tensor. On a torus a pair's exponents are 0, but at the ends of the
    /// type's range; where they differ, the pair is not to be mixed at all (`Element.balanced`).
    public func balancingExponents(_ sampler: Sampler, condition: Double, powers: SitePowers) -> [Int] {
        let exponents = exponents(sampler, condition: condition, powers: powers)
        return exponents.contains { $0 != 0 } ? exponents : []
    }

    private func exponents(_ sampler: Sampler, condition: Double, powers: SitePowers) -> [Int] {
        let none = [Int](repeating: 0, count: dimension)
        guard sampler != .exact else { return none }
        switch self {
        case .product(let factors):
            var exponents: [Int] = []
            for factor in factors {
                let range = exponents.count..<exponents.count + factor.dimension
                exponents += factor.exponents(sampler, condition: condition, powers: powers.channels(range))
            }
            return exponents
        case .generalLinear(let n):
            guard sampler.mixesChannels, n > 1, powers.areUsable else { return none }
            return mixedExponents(sampler, condition: condition, powers: powers) ?? none
        case .torus(let pairing), .torusPhases(let pairing):
            guard sampler.mixesPairs, powers.areUsable else { return none }
            return pairedExponents(pairing, sampler, condition: condition, powers: powers)
        case .pairSigns, .pairScales, .monomial, .orthogonal: return none
        }
    }

    private func mixedExponents(_ sampler: Sampler, condition: Double, powers: SitePowers) -> [Int]? {
        func cost(_ powers: SitePowers) -> Double { mixingCost(sampler, condition: condition, powers: powers) }
        let wishes = powers.wishes
        let candidates = (0..<8).map { eighth in
            wishes.map { Self.rounded($0 - Double(eighth) / 8) }
        }
        let best = candidates.map { ($0, cost(powers.balanced(by: $0))) }.min { $0.1 < $1.1 }
        guard let (exponents, lowest) = best, lowest.isFinite else { return nil }
        let plain = powers.mayOverflow(condition: condition) ? .infinity : cost(powers)
        return lowest < Self.gain * plain ? exponents : nil
    }

    /// Equal exponents on both members of a pair where it lies at an end of the type's range; and where its members are unbalanced
    /// against each other, which no element of a torus can balance, different ones, so that it is turned by quarter turns alone.
    private func pairedExponents(
        _ pairing: ChannelPairing, _ sampler: Sampler, condition: Double, powers: SitePowers
    ) -> [Int] {
        let spread = turningSpread(sampler, condition: condition)
        var exponents = [Int](repeating: 0, count: pairing.rotaryDimensions)
        var excesses: [(pair: Int, cost: Double)] = []
        for number in 0..<pairing.pairCount {
            let (x, y) = pairing.channels(ofPair: number)
            let pair = powers.pair(x, y)
            func cost(_ exponent: Int) -> Double { pair.turningCost((exponent, exponent), spread: spread) }
            let (a, b) = (pair.direct.sum, pair.dual.sum)
            if case .torus = self, a > 0, b > 0 {
                let wish = Self.rounded(quarterOfBinaryLogarithm(b / a))
                let isBetter = pair.mayOverflow(condition: min(condition, 10)) || cost(wish) < Self.gain * cost(0)
                if isBetter { (exponents[x], exponents[y]) = (wish, wish) }
            }
            excesses.append((number, max(0, cost(exponents[x]) - pair.floor)))
        }
        excesses.sort { ($0.cost, $1.pair) > ($1.cost, $0.pair) }
        var excess = excesses.reduce(0) { $0 + $1.cost }
        for (number, cost) in excesses where excess > (1 / Self.gain - 1) * powers.floor {
            exponents[pairing.channels(ofPair: number).imaginary] += 1
            excess -= cost
        }
        return exponents
    }

    private static func rounded(_ value: Double) -> Int {
        Int(max(-Double(reach), min(Double(reach), value)).rounded(.toNearestOrEven))
    }
}

extension SitePowers {
    /// Per channel the exponent that would make both sides equally large, in range of what the whole sides are.
    ///
    /// With g the mean size of balanced channels, a channel's error after restoring is that of g times 2^-e on one side and 2^e on the
    /// other: two bits beyond the side's own mean size are allowed, which four times its rounding.
    fileprivate var wishes: [Double] {
        let n = Double(direct.squares.count)
        let level = zip(direct.squares, dual.squares).reduce(0.0) { $0 + ($1.0 * $1.1).squareRoot() } / n
        let lowest = 2 * quarterOfBinaryLogarithm(level * n / direct.sum) - 2
        let highest = 2 * quarterOfBinaryLogarithm(dual.sum / (level * n)) + 2
        return zip(direct.squares, dual.squares).map { a, b in
            switch (a > 0, b > 0) {
            case (true, true): max(lowest, min(highest, quarterOfBinaryLogarithm(b / a)))
            case (false, true): highest
            case (true, false): lowest
            case (false, false): max(lowest, min(highest, 0))
            }
        }
    }

    /// Whether a value after mixing could leave the type's range, by the largest that it can be.
    fileprivate func mayOverflow(condition: Double) -> Bool {
        max(direct.sum / direct.largest, dual.sum / dual.largest) * condition > 1
    }
}

/// ¼ log₂ x, from arithmetic that is the same everywhere.
private func quarterOfBinaryLogarithm(_ x: Double) -> Double {
    PortableMath.log(x) / (4 * 0x1.62e42fefa39efp-1)
}
