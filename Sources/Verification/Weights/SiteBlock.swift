import Symmetries

/// A run of a site's channels that one factor of its group acts on, and how verification looks at it.
struct SiteBlock {
    enum Law: Equatable {
        case linear
        case monomial(Group.ChannelScales)
        case pairs(ChannelPairing, PairLaw)
    }

    /// Which complex numbers may multiply a pair.
    enum PairLaw { case any, phases, signs, positive }

    let law: Law
    let channels: Range<Int>

    static func blocks(of group: Group, from start: Int = 0) -> [SiteBlock] {
        let law: Law
        switch group {
        case .generalLinear: law = .linear
        // Not looked at by itself: what it leaves is what everything else shows.
        case .orthogonal: return []
        case .monomial(_, let scales): law = .monomial(scales)
        case .torus(let pairing): law = .pairs(pairing, .any)
        case .torusPhases(let pairing): law = .pairs(pairing, .phases)
        case .pairSigns(let pairing): law = .pairs(pairing, .signs)
        case .pairScales(let pairing): law = .pairs(pairing, .positive)
        case .product(let factors):
            var (blocks, end) = ([SiteBlock](), start)
            for factor in factors {
                blocks += Self.blocks(of: factor, from: end)
                end += factor.dimension
            }
            return blocks
        }
        return [SiteBlock(law: law, channels: start..<start + group.dimension)]
    }
}
