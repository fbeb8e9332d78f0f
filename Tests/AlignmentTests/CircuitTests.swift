import Alignment
import LinearAlgebra
import Symmetries
import Testing

/// Circuits merged in their factors, against the whole matrices.
@Suite struct CircuitTests {
    private static func random(_ rows: Int, _ columns: Int, _ name: String) -> Matrix<Double> {
        var stream = KeyedRandomStream(secret: [3], info: name)
        return Matrix(
            rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in 2 * stream.nextUnit() - 1 })
    }

    private static func parts(
        _ weights: [Double], rank: Int, _ a: Int, _ b: Int
    ) -> [(circuit: Circuit, weight: Double)] {
        weights.enumerated().map { number, weight in
            (Circuit(left: random(rank, b, "l\(number)"), right: random(rank, a, "r\(number)")), weight)
        }
    }

    private static func sum(_ matrices: [Matrix<Double>]) -> Matrix<Double> {
        Matrix(
            rows: matrices[0].rows, columns: matrices[0].columns,
            elements: matrices[0].elements.indices.map { place in matrices.reduce(0) { $0 + $1.elements[place] } })
    }

    private static func scaled(_ matrix: Matrix<Double>, _ factor: Double) -> Matrix<Double> {
        Matrix(rows: matrix.rows, columns: matrix.columns, elements: matrix.elements.map { $0 * factor })
    }

    /// The first `rank` parts of the singular value decomposition, and their share.
    private static func truncated(_ matrix: Matrix<Double>, _ rank: Int) throws -> (Matrix<Double>, Double) {
        let (u, s, vt) = try matrix.svd()
        let kept = Matrix<Double>.diagonal(s.enumerated().map { $0.offset < rank ? $0.element : 0 })
        let square = { (values: ArraySlice<Double>) in values.reduce(0) { $0 + $1 * $1 } }
        return (u * kept * vt, square(s.prefix(rank)) / square(s[...]))
    }

    /// The nearest matrix of the head's rank, with any weights, also where heads together are larger than what they read.
    @Test(arguments: [[0.5, 0.5], [0.7, 0.7, -0.4], [1, 0]], [(12, 9), (5, 30), (4, 3)])
    func matricesOfHeads(weights: [Double], sizes: (Int, Int)) throws {
        let parts = Self.parts(weights, rank: 4, sizes.0, sizes.1)
        let whole = Self.sum(parts.map { Self.scaled($0.circuit.right.transposed * $0.circuit.left, $0.weight) })
        let merged = try #require(try Circuit.merge(parts, .generalLinear(4)))
        let (best, kept) = try Self.truncated(whole, 4)
        let found = merged.circuit.right.transposed * merged.circuit.left
        #expect((found - best).frobeniusNorm < 1e-12 * whole.frobeniusNorm)
        #expect((merged.kept - kept).magnitude < 1e-12)
        #expect((merged.circuit.left.frobeniusNorm / merged.circuit.right.frobeniusNorm - 1).magnitude < 1e-12)
    }

    /// Of every rotary pair the nearest complex matrix of rank one: as a real one, in which a complex number is two by two, of rank two.
    @Test(arguments: [[0.5, 0.5], [0.7, 0.7, -0.4], [1, 0]], [ChannelPairing.Layout.halfSplit, .interleaved])
    func matricesOfPairs(weights: [Double], layout: ChannelPairing.Layout) throws {
        let pairing = ChannelPairing(rotaryDimensions: 6, layout: layout)
        let parts = Self.parts(weights, rank: 6, 11, 7)
        let merged = try #require(try Circuit.merge(parts, .torus(pairing)))
        var share = 0.0
        for pair in 0..<3 {
            let channels = pairing.channels(ofPair: pair)
            func real(_ circuit: Circuit) -> Matrix<Double> {
                Self.embedded(circuit.right, channels).transposed * Self.embedded(circuit.left, channels)
            }
            let whole = Self.sum(parts.map { Self.scaled(real($0.circuit), $0.weight) })
            let (best, kept) = try Self.truncated(whole, 2)
            #expect((real(merged.circuit) - best).frobeniusNorm < 1e-6 * whole.frobeniusNorm, "\(pair)")
            share += kept / 3
        }
        #expect((merged.kept - share).magnitude < 1e-9)
    }

    /// A row x + iy with every number as [[x, -y], [y, x]].
    private static func embedded(_ matrix: Matrix<Double>, _ channels: (real: Int, imaginary: Int)) -> Matrix<Double> {
        var result = Matrix<Double>(rows: 2, columns: 2 * matrix.columns, repeating: 0)
        for column in 0..<matrix.columns {
            let (x, y) = (matrix[channels.real, column], matrix[channels.imaginary, column])
            (result[0, 2 * column], result[0, 2 * column + 1]) = (x, -y)
            (result[1, 2 * column], result[1, 2 * column + 1]) = (y, x)
        }
        return result
    }

    @Test func partsOfAHeadAreMergedApart() throws {
        let pairing = ChannelPairing(rotaryDimensions: 4, layout: .halfSplit)
        let parts = Self.parts([0.5, 0.5], rank: 7, 9, 8)
        let merged = try #require(try Circuit.merge(parts, .product([.torus(pairing), .generalLinear(3)])))
        func rows(_ matrix: Matrix<Double>, _ range: Range<Int>) -> Matrix<Double> {
            Matrix(
                rows: range.count, columns: matrix.columns,
                elements: range.flatMap { row in (0..<matrix.columns).map { matrix[row, $0] } })
        }
        func part(_ range: Range<Int>, _ group: Group) throws -> Circuit {
            try #require(
                try Circuit.merge(
                    parts.map {
                        (Circuit(left: rows($0.circuit.left, range), right: rows($0.circuit.right, range)), $0.weight)
                    },
                    group)
            ).circuit
        }
        let (first, second) = (try part(0..<4, .torus(pairing)), try part(4..<7, .generalLinear(3)))
        #expect(merged.circuit.left.elements == first.left.elements + second.left.elements)
        #expect(merged.circuit.right.elements == first.right.elements + second.right.elements)
        #expect(try Circuit.merge(parts, .pairSigns(pairing))?.kept == nil)
        #expect(try Circuit.merge(parts, .monomial(7, scales: .signed))?.kept == nil)
    }
}
