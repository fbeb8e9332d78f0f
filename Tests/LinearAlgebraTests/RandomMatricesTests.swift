import LinearAlgebra
import Testing

@Suite struct RandomMatricesTests {
    @Test(arguments: [1, 2, 8, 33, 64])
    func haarIsOrthogonal(_ n: Int) throws {
        var random = stream("haar\(n)")
        let element = try RandomMatrices.haarOrthogonal(n, using: &random)
        #expect(element.inverse == element.matrix.transposed)
        #expect(element.condition == 1)
        #expect(distance(element.matrix * element.inverse, identity(n)) < 1e-14 * Double(n) + 1e-15)
    }

    /// Haar measure: E tr Q = 0, Var tr Q = 1, E q₁₁² = 1/n, E q₁₁⁴ = 3/(n(n+2)), half of the determinants negative.
    /// Without the sign correction the trace is far from 0.
    @Test func haarIsUniform() throws {
        let (n, draws) = (4, 3000)
        var random = stream("haar statistics")
        var (trace, traceSquare, square, fourth, negative) = (0.0, 0.0, 0.0, 0.0, 0)
        for _ in 0..<draws {
            let q = try RandomMatrices.haarOrthogonal(n, using: &random).matrix
            let t = (0..<n).reduce(0.0) { $0 + q[$1, $1] }
            trace += t
            traceSquare += t * t
            square += q[0, 0] * q[0, 0]
            fourth += q[0, 0] * q[0, 0] * q[0, 0] * q[0, 0]
            negative += determinant4(q) < 0 ? 1 : 0
        }
        let count = Double(draws)
        let error = 4 / count.squareRoot()
        #expect(abs(trace / count) < error)
        #expect(abs(traceSquare / count - 1) < error * 1.5)
        #expect(abs(square / count - 1 / Double(n)) < error * 0.25)
        #expect(abs(fourth / count - 0.125) < error * 0.2)
        #expect(abs(Double(negative) / count - 0.5) < error * 0.5)
    }

    private func determinant4(_ q: Matrix<Double>) -> Double {
        func minor(_ i: Int, _ j: Int) -> Double { q[0, i] * q[1, j] - q[0, j] * q[1, i] }
        func lower(_ i: Int, _ j: Int) -> Double { q[2, i] * q[3, j] - q[2, j] * q[3, i] }
        return minor(0, 1) * lower(2, 3) - minor(0, 2) * lower(1, 3) + minor(0, 3) * lower(1, 2)
            + minor(1, 2) * lower(0, 3) - minor(1, 3) * lower(0, 2) + minor(2, 3) * lower(0, 1)
    }

    @Test(arguments: [(2, 10.0), (16, 10), (16, 1000), (33, 1), (64, 4.5)])
    func conditionedHasItsCondition(_ n: Int, _ condition: Double) throws {
        var random = stream("conditioned")
        let element = try RandomMatrices.conditioned(n, condition: condition, using: &random)
        #expect(element.condition == condition)
        #expect(try abs(element.matrix.conditionNumber() / condition - 1) < 1e-10)
        let s = try element.matrix.singularValues()
        #expect(abs(s[0] - condition.squareRoot()) < 1e-12 * condition)
        #expect(distance(element.matrix * element.inverse, identity(n)) < 1e-13 * condition)
        // Between the extremes: not all at the ends.
        if n == 16 { #expect(s[1..<15].allSatisfy { $0 < s[0] && $0 > s[15] }) }
    }

    @Test(arguments: [(1, 1.0), (2, 10), (16, 10), (16, 1e6), (64, 4)])
    func diagonalOrthogonalIsDQ(_ n: Int, _ condition: Double) throws {
        var random = stream("dq")
        let element = try RandomMatrices.diagonalOrthogonal(n, condition: condition, using: &random)
        #expect(try abs(element.matrix.conditionNumber() / condition - 1) < 1e-10)
        // Rounding of A⁻¹A is amplified by at most κ.
        #expect(
            distance(element.matrix * element.inverse, identity(n)) < 1e-14 * Double(n) * condition)
        // A Aᵀ = D²: diagonal, with the extremes κ^(±1).
        let gram = element.matrix * element.matrix.transposed
        let d = (0..<n).map { gram[$0, $0].squareRoot() }
        for i in 0..<n {
            for j in 0..<n where i != j { #expect(abs(gram[i, j]) < 1e-13 * d[i] * d[j]) }
        }
        #expect(abs((d.max() ?? 0) / condition.squareRoot() - 1) < 1e-13)
        #expect(abs((d.min() ?? 0) * condition.squareRoot() - 1) < 1e-13)
    }

    /// The extremes of D stand anywhere, and log |d| of the others is uniform: its mean is 0, its variance log²κ/12.
    @Test func diagonalIsShuffledAndLogUniform() throws {
        let (n, draws) = (6, 600)
        var random = stream("dq statistics")
        var places = Set<Int>()
        var (sum, squares) = (0.0, 0.0)
        for _ in 0..<draws {
            let a = try RandomMatrices.diagonalOrthogonal(n, condition: 100, using: &random).matrix
            let logs = (0..<n).map { i in
                PortableMath.log((0..<n).reduce(0.0) { $0 + a[i, $1] * a[i, $1] }) / 2
            }
            let order = (0..<n).sorted { logs[$0] < logs[$1] }
            places.insert(order[n - 1])
            for i in order[1..<(n - 1)] {
                sum += logs[i]
                squares += logs[i] * logs[i]
            }
        }
        let count = Double(draws * (n - 2))
        let width = PortableMath.log(100)
        #expect(places == Set(0..<n))
        #expect(abs(sum / count) < 4 * width / (12 * count).squareRoot())
        #expect(abs(squares / count / (width * width / 12) - 1) < 0.1)
    }

    @Test func gaussianMeetsItsBound() throws {
        var random = stream("gaussian matrix")
        let element = try RandomMatrices.gaussian(8, maximumCondition: 20, using: &random)
        #expect(element.condition <= 20)
        #expect(try abs(element.matrix.conditionNumber() / element.condition - 1) < 1e-12)
        #expect(distance(element.matrix * element.inverse, identity(8)) < 1e-13)
        // N(0, 1/n): the mean square of 64 x 64 elements is 1/64.
        let large = try RandomMatrices.gaussian(64, maximumCondition: 1e6, using: &random).matrix
        #expect(abs(large.frobeniusNorm * large.frobeniusNorm / 64 - 1) < 4 * (2.0 / 4096).squareRoot())
    }

    @Test func gaussianGivesUp() throws {
        var random = stream("gives up")
        do throws(LinearAlgebraError) {
            _ = try RandomMatrices.gaussian(8, maximumCondition: 1.01, using: &random)
            Issue.record("a Gaussian matrix of size 8 with condition 1.01")
        } catch {
            guard case .conditionOutOfReach(8, 1.01, RandomMatrices.maximumTries, let best) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(best > 1.01 && best < 100)
        }
    }

    @Test func sameStreamSameElement() throws {
        var (a, b, c) = (stream("same"), stream("same"), stream("other"))
        let first = try RandomMatrices.diagonalOrthogonal(8, condition: 4, using: &a)
        #expect(try first == (RandomMatrices.diagonalOrthogonal(8, condition: 4, using: &b)))
        #expect(try first != (RandomMatrices.diagonalOrthogonal(8, condition: 4, using: &c)))
    }

    @Test func badArgumentsAreErrors() {
        var random = stream("bad")
        for n in [0, -1] {
            #expect(throws: LinearAlgebraError.invalidCondition(dimension: n, condition: 1)) {
                try RandomMatrices.haarOrthogonal(n, using: &random)
            }
        }
        for bad in [0.99, 0, -1, .infinity, .nan] {
            #expect(throws: LinearAlgebraError.self) {
                try RandomMatrices.conditioned(4, condition: bad, using: &random)
            }
            #expect(throws: LinearAlgebraError.self) {
                try RandomMatrices.diagonalOrthogonal(4, condition: bad, using: &random)
            }
            #expect(throws: LinearAlgebraError.self) {
                try RandomMatrices.gaussian(4, maximumCondition: bad, using: &random)
            }
        }
    }
}
