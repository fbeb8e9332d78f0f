import LinearAlgebra
import Symmetries
import Testing

/// The laws of the groups, for every group with every sampler.
@Suite struct ElementTests {
    static let pairing = ChannelPairing(rotaryDimensions: 8, layout: .halfSplit)
    static let interleaved = ChannelPairing(rotaryDimensions: 8, layout: .interleaved)
    static let groups: [Group] = [
        .generalLinear(7), .torus(pairing), .torus(interleaved), .pairSigns(pairing), .pairScales(interleaved),
        .monomial(9, scales: .unit), .monomial(9, scales: .positive), .monomial(9, scales: .signed),
        .product([.torus(pairing), .generalLinear(5)]),
    ]

    private func element(_ group: Group, _ sampler: Sampler, seed: String = "a") throws -> Element {
        var stream = KeyedRandomStream(secret: [1, 2, 3], info: seed)
        return try group.sample(sampler, condition: sampler.defaultCondition, using: &stream)
    }

    /// The whole action as one matrix.
    private func matrix(_ element: Element, _ representation: Representation) -> Matrix<Double> {
        var result = Matrix<Double>(rows: element.dimension, columns: element.dimension, repeating: 0)
        var start = 0
        for action in element.actions(representation) {
            let block = action.matrix
            for i in 0..<block.rows {
                for j in 0..<block.columns { result[start + i, start + j] = block[i, j] }
            }
            start += action.length
        }
        #expect(start == element.dimension)
        return result
    }

    private func distance(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double { (a - b).frobeniusNorm }

    @Test(arguments: groups, Sampler.allCases)
    func inverseAndDualAreWhatTheyAreCalled(group: Group, sampler: Sampler) throws {
        let element = try element(group, sampler)
        let (a, identity) = (matrix(element, .direct), Matrix<Double>.identity(group.dimension))
        #expect(element.dimension == group.dimension)
        #expect(distance(a * matrix(element.inverse, .direct), identity) < 1e-10)
        // M of the dual is A⁻ᵀ.
        #expect(distance(a.transposed * matrix(element, .dual), identity) < 1e-10)
    }

    /// Scores under RoPE are (R q)ᵀ(R' k): the torus must commute with every rotation of the pairs.
    @Test(arguments: [pairing, interleaved], Sampler.allCases)
    func theTorusCommutesWithRotaryEmbeddings(pairing: ChannelPairing, sampler: Sampler) throws {
        let a = matrix(try element(.torus(pairing), sampler), .direct)
        var rotation = Matrix<Double>(rows: 8, columns: 8, repeating: 0)
        for pair in 0..<4 {
            let (x, y) = pairing.channels(ofPair: pair)
            let (sine, cosine) = PortableMath.sinCosTwoPi(0.07 * Double(pair + 1))
            rotation[x, x] = cosine
            rotation[x, y] = -sine
            rotation[y, x] = sine
            rotation[y, y] = cosine
        }
        #expect(distance(a * rotation, rotation * a) < 1e-12)
        // And not with the other pairing's: the layout matters.
        let other = matrix(
            try element(.torus(pairing.layout == .halfSplit ? Self.interleaved : Self.pairing), .orthogonal), .direct)
        #expect(distance(other * rotation, rotation * other) > 0.1)
    }

    @Test(arguments: groups)
    func exactElementsHoldOnlySignsAndPowersOfTwo(group: Group) throws {
        let element = try element(group, .exact)
        for entry in matrix(element, .direct).elements where entry != 0 {
            #expect([0.5, 1, 2].contains(entry.magnitude))
        }
        #expect(element.roundingMultiple == 1)
    }

    /// However two elements of a group are kept, one after the other is the product of their matrices.
    @Test(arguments: groups, Sampler.allCases)
    func oneAfterTheOtherIsTheProduct(group: Group, sampler: Sampler) throws {
        guard !group.isRotation else { return }
        for other in Sampler.allCases {
            let (a, b) = (try element(group, sampler), try element(group, other, seed: "b"))
            let both = try #require(a.composed(after: b))
            for representation in [Representation.direct, .dual] {
                let (x, y) = (matrix(a, representation), matrix(b, representation))
                #expect(distance(matrix(both, representation), x * y) < 1e-9, "\(sampler) after \(other)")
            }
        }
    }

    /// Small heads feel the two exact ends of the spectrum.
    @Test(arguments: [(2, 10.0), (2, 100), (6, 10), (6, 100), (64, 10), (64, 100), (128, 100)])
    func roundingCostsWhatIsPredicted(n: Int, condition: Double) throws {
        let group = Group.generalLinear(n)
        var (sum, gaussian) = (0.0, 0.0)
        for draw in 0..<40 {
            var stream = KeyedRandomStream(secret: [9], info: "\(draw)")
            sum += try group.sample(.conditioned, condition: condition, using: &stream).roundingMultiple / 40
            guard n == 6 else { continue }
            gaussian += try group.sample(.gaussian, condition: condition, using: &stream).roundingMultiple / 40
        }
        let predicted = group.expectedRoundingMultiple(.conditioned, condition: condition)
        #expect((0.85...1.15).contains(sum / predicted), "\(sum) beside \(predicted)")
        #expect(gaussian < predicted)
        let neutral = try element(group, .diagonalOrthogonal)
        #expect((neutral.roundingMultiple - 1).magnitude < 1e-12)
    }

    /// The long tail of what a Gaussian costs is cut at what is foretold.
    @Test(arguments: [(2, 10.0), (8, 150), (64, 150), (64, 30), (128, 150)])
    func roundingCostsOfPaRaMSArePredicted(n: Int, condition: Double) throws {
        let group = Group.generalLinear(n)
        var (symmetric, largest) = (0.0, 0.0)
        for draw in 0..<40 {
            var stream = KeyedRandomStream(secret: [9], info: "\(draw)")
            symmetric += try group.sample(.symmetric, condition: condition, using: &stream).roundingMultiple / 40
            largest = max(
                largest, try group.sample(.nonsymmetric, condition: condition, using: &stream).roundingMultiple)
        }
        let expected = group.expectedRoundingMultiple(.symmetric, condition: condition)
        #expect((0.85...1.15).contains(symmetric / expected), "\(symmetric) beside \(expected)")
        let most = group.expectedRoundingMultiple(.nonsymmetric, condition: condition)
        #expect((0.6...1).contains(largest / most), "\(largest) beside \(most)")
        #expect(group.expectedRoundingMultiple(.diagonal, condition: condition) == 1)
        #expect((try element(group, .diagonal).roundingMultiple - 1).magnitude < 1e-12)
    }

    @Test func onlyGeneralMatricesCostRounding() {
        let product = Group.product([.torus(Self.pairing), .generalLinear(5)])
        #expect(
            product.expectedRoundingMultiple(.conditioned, condition: 10)
                == Group.generalLinear(5).expectedRoundingMultiple(.conditioned, condition: 10))
        #expect(product.expectedRoundingMultiple(.orthogonal, condition: 1) == 1)
        #expect(product.expectedRoundingMultiple(.diagonalOrthogonal, condition: 10) == 1)
        #expect(Group.torus(Self.pairing).expectedRoundingMultiple(.conditioned, condition: 10) == 1)
        #expect((10.8...11).contains(Group.generalLinear(1024).expectedRoundingMultiple(.gaussian, condition: 100)))
    }

    @Test func theSameNameGivesTheSameElementAndAnotherNameAnother() throws {
        let group = Group.generalLinear(6)
        let (a, b, c) = (
            try element(group, .gaussian), try element(group, .gaussian), try element(group, .gaussian, seed: "c")
        )
        #expect(matrix(a, .direct) == matrix(b, .direct))
        #expect(distance(matrix(a, .direct), matrix(c, .direct)) > 0.1)
    }
}
