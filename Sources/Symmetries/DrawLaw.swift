import LinearAlgebra

/// How one step draws its elements.
public struct DrawLaw: Sendable, Hashable {
    public let sampler: Sampler
    /// Condition number, or its bound.
    public let condition: Double

    public init(_ sampler: Sampler, condition: Double) { (self.sampler, self.condition) = (sampler, condition) }
}

extension Group {
    /// Draws whose mean foretells what the elements of several steps cost together.
    private static let trials = 16

    /// The mean of `Element.roundingMultiple` over elements that are drawn by these laws, the first acting first, and composed.
    ///
    /// One law's mean is known. What several matrices of GL(n) give depends on their order: D·Q before a diagonal factor costs nothing,
    /// behind one it does. It is taken over draws that everybody can repeat.
    public func expectedRoundingMultiple(_ laws: [DrawLaw]) throws(LinearAlgebraError) -> Double {
        guard let first = laws.first else { return 1 }
        guard laws.count > 1 else { return expectedRoundingMultiple(first.sampler, condition: first.condition) }
        switch self {
        case .generalLinear, .product: break
        case .torus, .torusPhases, .pairSigns, .pairScales, .monomial, .orthogonal: return 1
        }
        var sum = 0.0
        for trial in 0..<Self.trials {
            var stream = KeyedRandomStream(secret: [], info: "rounding/\(trial)")
            var composed = try sample(first.sampler, condition: first.condition, using: &stream) as Element?
            for law in laws.dropFirst() {
                let next = try sample(law.sampler, condition: law.condition, using: &stream)
                composed = composed.flatMap(next.composed)
            }
            sum += composed?.roundingMultiple ?? 1
        }
        return max(1, sum / Double(Self.trials))
    }

    /// What rounding costs after elements of these laws, as `roundingMultiple(_:condition:powers:exponents:)` foretells it for one.
    ///
    /// - Parameter expected: `expectedRoundingMultiple` of the laws, which many sites share.
    public func roundingMultiple(
        _ laws: [DrawLaw], powers: SitePowers, exponents: [Int], expected: Double
    ) -> Double {
        guard laws.count > 1 else {
            return laws.first.map {
                roundingMultiple($0.sampler, condition: $0.condition, powers: powers, exponents: exponents)
            } ?? 1
        }
        return expected * roundingMultiple(Self.mixing(laws), condition: 1, powers: powers, exponents: exponents)
    }

    /// The powers of two that go before elements of these laws.
    public func balancingExponents(_ laws: [DrawLaw], powers: SitePowers) -> [Int] {
        guard laws.count > 1 else {
            return laws.first.map { balancingExponents($0.sampler, condition: $0.condition, powers: powers) } ?? []
        }
        return balancingExponents(Self.mixing(laws), condition: 1, powers: powers)
    }

    /// A sampler that mixes what any of the laws mixes.
    private static func mixing(_ laws: [DrawLaw]) -> Sampler {
        if laws.contains(where: \.sampler.mixesChannels) { return .orthogonal }
        return laws.contains { $0.sampler == .diagonal } ? .diagonal : .exact
    }
}
