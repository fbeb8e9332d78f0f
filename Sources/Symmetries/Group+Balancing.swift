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
    /// what restoring rounds stays in proportion to the whole tensor. Where each element acts on channels or pairs alone, there
    /// is nothing to balance but what lies at the ends of the type's range.
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
            guard n > 1, powers.areUsable else { return none }
            return mixedExponents(sampler, condition: condition, powers: powers) ?? none
        case .torus(let pairing):
            guard powers.areUsable else { return none }
            return pairedExponents(
                pairing, condition: sampler == .orthogonal ? 1 : min(condition, 10), powers: powers)
        case .torusPhases, .pairSigns, .pairScales, .monomial: return none
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

    private func pairedExponents(_ pairing: ChannelPairing, condition: Double, powers: SitePowers) -> [Int] {
        let spread = Self.meanSquare(condition)
        var exponents = [Int](repeating: 0, count: pairing.rotaryDimensions)
        for pair in 0..<pairing.pairCount {
            let (x, y) = pairing.channels(ofPair: pair)
            let (a, b) = (
                powers.direct.squares[x] + powers.direct.squares[y], powers.dual.squares[x] + powers.dual.squares[y]
            )
            guard a > 0, b > 0 else { continue }
            var candidate = exponents
            candidate[x] = Self.rounded(quarterOfBinaryLogarithm(b / a))
            candidate[y] = candidate[x]
            let balanced = powers.balanced(by: candidate).turningCost((x, y), spread: spread)
            let overflows = max(a / powers.direct.largest, b / powers.dual.largest) * condition > 1
            if overflows || balanced < Self.gain * powers.turningCost((x, y), spread: spread) { exponents = candidate }
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
