import LinearAlgebra
import Rewriting
import Symmetries
import Testing

/// What is foretold of rounding behind norms with gain and bias.
@Suite struct TurnedBiasTests {
    /// Nothing without a bias, and nothing where the bias is as many times the gain in each channel.
    @Test func costsNothing() {
        var stream = KeyedRandomStream(secret: [5], info: "bias")
        let gain = (0..<48).map { _ in 2 * stream.nextUnit() + 0.01 }
        #expect((TurnedBias.multiple(gain: gain, bias: gain.map { _ in 0 }) - 1).magnitude < 1e-12)
        #expect((TurnedBias.multiple(gain: gain, bias: gain.map { -3 * $0 }) - 1).magnitude < 1e-12)
        #expect(TurnedBias.multiple(gain: [], bias: []) == 1)
        #expect(TurnedBias.multiple(gain: [0, 1], bias: [0, 1]) == .infinity)
        #expect(TurnedBias.multiple(gain: [1, 1], bias: [.nan, 1]) == .infinity)
    }

    /// What a few bits do to `W·(g∘n + b)` as it is and turned, measured.
    @Test(arguments: [(0.5, 0.3), (0.1, 0.3), (0.05, 0.5), (0.02, 0.5)])
    func isWhatRoundingCosts(smallest: Double, bias: Double) throws {
        let (d, rows, count) = (32, 64, 64)
        var stream = KeyedRandomStream(secret: [6], info: "bias/\(smallest)/\(bias)")
        let gains = (0..<d).map { $0 % 11 == 3 ? smallest : 1 + 0.2 * stream.nextUnit() }
        let biases = (0..<d).map { _ in stream.nextUnit() > 0.5 ? bias : -bias }
        let weights = stream.gaussianMatrix(rows: rows, columns: d)
        let rotation = try Group.orthogonal(d, .dense, fixesOnes: true).sample(
            .diagonalOrthogonal, condition: 10, using: &stream)
        guard case .rotation(let drawn) = rotation else { return #expect(Bool(false)) }
        let turn = drawn.matrix
        func rounded(_ x: Double) -> Double {
            let unit = Double(sign: .plus, exponent: x.exponent - 6, significand: 1)
            return x == 0 ? 0 : (x / unit).rounded() * unit
        }
        func rounded(_ matrix: Matrix<Double>) -> Matrix<Double> {
            Matrix(rows: matrix.rows, columns: matrix.columns, elements: matrix.elements.map { rounded($0) })
        }
        func scaled(_ matrix: Matrix<Double>, by factors: [Double]) -> Matrix<Double> {
            var matrix = matrix
            for i in 0..<matrix.rows { for j in 0..<matrix.columns { matrix[i, j] *= factors[j] } }
            return matrix
        }
        /// Columns of states, all with the same bias.
        func added(_ states: Matrix<Double>, _ bias: [Double]) -> Matrix<Double> {
            var states = states
            for i in 0..<states.rows { for j in 0..<states.columns { states[i, j] += bias[i] } }
            return states
        }
        let states = stream.gaussianMatrix(rows: d, columns: count)
        let divided = Matrix(rows: d, columns: 1, elements: zip(biases, gains).map { $0 / $1 })
        let given = added(scaled(states.transposed, by: gains).transposed, biases)
        let before = rounded(weights) * added(scaled(states.transposed, by: gains).transposed, biases.map(rounded))
        let after =
            rounded(scaled(weights, by: gains) * turn.transposed)
            * added(turn * states, (turn * divided).elements.map(rounded))
        let exact = weights * given
        let measured = (after - exact).frobeniusNorm / (before - exact).frobeniusNorm
        let foretold = TurnedBias.multiple(gain: gains, bias: biases)
        #expect(measured < 1.35 * foretold && measured > foretold / 1.35, "\(measured) \(foretold)")
    }
}
