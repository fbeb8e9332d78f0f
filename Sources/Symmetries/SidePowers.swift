/// How large the channels of one side of a site are, and what storing them rounds away.
public struct SidePowers: Sendable, Equatable {
    /// Per channel: the sum of squares of all its weights on this side, biases and every member's included.
    public var squares: [Double]
    /// The square of the largest relative error of rounding a normal number, of the coarsest type in use.
    public let roundoff: Double
    /// The sum of squares of a channel whose weights are all the smallest normal number: rounding is absolute below it.
    public let subnormal: Double
    /// The square of the largest finite number.
    public let largest: Double

    public init(squares: [Double], roundoff: Double, subnormal: Double, largest: Double) {
        self.squares = squares
        self.roundoff = roundoff
        self.subnormal = subnormal
        self.largest = largest
    }

    public var sum: Double { squares.reduce(0, +) }

    /// What rounding adds to a channel of this sum of squares.
    func noise(_ square: Double) -> Double { roundoff * max(square, subnormal) }

    func only(_ channels: some Sequence<Int>) -> SidePowers {
        SidePowers(
            squares: channels.map { squares[$0] }, roundoff: roundoff, subnormal: subnormal, largest: largest)
    }

    /// Every channel times 2 to its exponent.
    func scaled(by exponents: [Int]) -> SidePowers {
        var copy = self
        for (channel, exponent) in exponents.enumerated() { copy.squares[channel] *= squareOfPowerOfTwo(exponent) }
        return copy
    }
}

/// Both sides of a site: the one that carries A and the one that carries A⁻ᵀ.
public struct SitePowers: Sendable, Equatable {
    public var direct: SidePowers
    public var dual: SidePowers

    public init(direct: SidePowers, dual: SidePowers) {
        self.direct = direct
        self.dual = dual
    }

    /// Everything is finite, and some channel takes part in the product.
    var areUsable: Bool { floor > 0 && (direct.sum + dual.sum + floor).isFinite }

    func channels(_ range: Range<Int>) -> SitePowers {
        SitePowers(direct: direct.only(range), dual: dual.only(range))
    }

    /// After diag(2^e), which takes from one side what it gives the other.
    func balanced(by exponents: [Int]) -> SitePowers {
        SitePowers(direct: direct.scaled(by: exponents), dual: dual.scaled(by: exponents.map { -$0 }))
    }

    /// The squared error of the product of the two sides when each is rounded once as it is:
    /// `Σ_i N(a_i) b_i + a_i N(b_i)`, with N what rounding adds to a channel.
    var floor: Double {
        zip(direct.squares, dual.squares).reduce(0) { $0 + direct.noise($1.0) * $1.1 + $1.0 * dual.noise($1.1) }
    }
}

/// 4^e.
func squareOfPowerOfTwo(_ exponent: Int) -> Double { Double(sign: .plus, exponent: 2 * exponent, significand: 1) }
