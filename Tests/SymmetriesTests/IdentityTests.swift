import LinearAlgebra
import Symmetries
import Testing

/// Small groups draw the identity now and then, which would leave a site as it was.
@Suite struct IdentityTests {
    static let pair = ChannelPairing(rotaryDimensions: 2, layout: .halfSplit)
    static let groups: [Group] = [
        .pairSigns(pair), .torus(pair), .torusPhases(pair), .generalLinear(1), .monomial(2, scales: .unit),
        .monomial(1, scales: .signs), .monomial(1, scales: .signed), .monomial(2, scales: .positive),
        .product([.torus(pair), .generalLinear(1)]),
    ]

    private func stream(_ number: Int) -> KeyedRandomStream { KeyedRandomStream(secret: [7], info: "\(number)") }

    @Test(arguments: groups, [Sampler.exact, .orthogonal, .diagonalOrthogonal])
    func isDrawnAgain(group: Group, sampler: Sampler) throws {
        for number in 0..<200 {
            var (one, other) = (stream(number), stream(number))
            let element = try group.sample(sampler, condition: sampler.defaultCondition, using: &one)
            #expect(!element.isNearIdentity)
            // Where the first draw moves, it stays what it was.
            let first = try group.sample(
                sampler, condition: sampler.defaultCondition, using: &other, avoidsIdentity: false)
            if case .product = group { continue }
            if !first.isNearIdentity { #expect(one.next() == other.next()) }
        }
    }

    @Test func groupsOfOneElementAreNotMoved() {
        #expect(!Group.monomial(1, scales: .unit).isMoved(by: .exact, condition: 4))
        #expect(!Group.monomial(1, scales: .positive).isMoved(by: .exact, condition: 1))
        #expect(Group.monomial(1, scales: .positive).isMoved(by: .exact, condition: 4))
        #expect(!Group.pairScales(Self.pair).isMoved(by: .orthogonal, condition: 10))
    }

    @Test func nearIsNotFar() {
        #expect(Element.monomial(.init(source: [0, 1], scale: [1, 1])).isNearIdentity)
        #expect(!Element.monomial(.init(source: [1, 0], scale: [1, 1])).isNearIdentity)
        #expect(!Element.torus(.init(pairing: Self.pair, real: [-1], imaginary: [0])).isNearIdentity)
        #expect(Element.torus(.init(pairing: Self.pair, real: [1.001], imaginary: [-0.001])).isNearIdentity)
        let turned = Element.torus(.init(pairing: Self.pair, real: [0], imaginary: [1]))
        let still = Element.torus(.init(pairing: Self.pair, real: [1], imaginary: [0]))
        #expect(!Element.product([still, turned]).isNearIdentity && Element.product([still, still]).isNearIdentity)
    }
}
