import LinearAlgebra
import Testing

/// Optimality by certificate, by all permutations where these are few, and by an independent solver's totals.
@Suite struct LinearAssignmentTests {
    enum Kind: Sendable { case spread, ties, flat, product }

    /// Costs that other programs can make too.
    private static func costs(_ n: Int, _ kind: Kind) -> Matrix<Float> {
        var costs = Matrix<Float>(rows: n, columns: n, repeating: 1)
        for i in 0..<n {
            for j in 0..<n {
                let x = i * 7919 + j * 104_729 + i * j * 31 + i * i * 17 + j * j * 13
                switch kind {
                case .spread:
                    costs[i, j] = Float(x * 2_654_435_761 % 4_294_967_296 % 16_777_213) / 16_777_213
                case .ties: costs[i, j] = Float(x % 5)
                case .flat: break
                case .product: costs[i, j] = Float((i * i * 37 + i) % 101) * Float((j * j * 53 + j) % 103)
                }
            }
        }
        return costs
    }

    private static func random(_ n: Int, _ seed: Int, levels: Int? = nil) -> Matrix<Float> {
        var stream = KeyedRandomStream(secret: [7], info: "assignment/\(n)/\(seed)")
        return Matrix(
            rows: n, columns: n,
            elements: (0..<n * n).map { _ in
                levels.map { Float(stream.nextIndex(below: $0)) } ?? Float(stream.nextUnit() * 200 - 100)
            })
    }

    /// Prices that no pair undercuts and that every chosen pair meets: then no assignment is cheaper.
    private func prove(_ solved: LinearAssignment, _ costs: Matrix<Float>) {
        let n = costs.rows
        #expect(Set(solved.columns) == Set(0..<n) && solved.columns.count == n)
        let size = costs.elements.reduce(1) { max($0, Double($1.magnitude)) }
        var (undercut, total) = (0.0, 0.0)
        for i in 0..<n {
            for j in 0..<n {
                undercut = max(undercut, solved.rowDuals[i] + solved.columnDuals[j] - Double(costs[i, j]))
            }
            total += Double(costs[i, solved.columns[i]])
        }
        #expect(undercut <= 1e-10 * size, "\(undercut)")
        #expect(solved.total == total)
    }

    /// scipy 1.17's `linear_sum_assignment`.
    @Test(arguments: [
        (1, Kind.spread, 0.0), (1, .flat, 1), (2, .spread, 0.10949226468801498), (2, .ties, 3),
        (3, .spread, 0.765878401696682), (3, .ties, 1), (3, .product, 304), (17, .spread, 1.0222547915764153),
        (17, .ties, 17), (17, .flat, 17), (17, .product, 23207), (64, .spread, 1.5853106945942272), (64, .ties, 62),
        (64, .product, 101_407), (200, .spread, 1.5880343961484868), (200, .ties, 200), (200, .flat, 200),
        (200, .product, 339_908), (500, .spread, 1.7118532933668575), (500, .ties, 500), (500, .flat, 500),
        (500, .product, 845_372),
    ])
    func totalsAreTheReferees(n: Int, kind: Kind, total: Double) throws {
        let costs = Self.costs(n, kind)
        let solved = try LinearAssignment(minimising: costs)
        prove(solved, costs)
        #expect((solved.total - total).magnitude <= 1e-9 * max(1, total), "\(solved.total)")
    }

    @Test func noPermutationIsCheaper() throws {
        func cheapest(_ costs: Matrix<Float>, _ row: Int, _ free: [Int]) -> Double {
            guard row < costs.rows else { return 0 }
            return free.map { column in
                Double(costs[row, column]) + cheapest(costs, row + 1, free.filter { $0 != column })
            }.min() ?? 0
        }
        for n in 1...6 {
            for seed in 0..<20 {
                let costs = Self.random(n, seed, levels: seed.isMultiple(of: 2) ? 3 : nil)
                let solved = try LinearAssignment(minimising: costs)
                prove(solved, costs)
                #expect((solved.total - cheapest(costs, 0, Array(0..<n))).magnitude < 1e-9)
            }
        }
    }

    @Test(arguments: [30, 128, 400], [nil, 2, 50])
    func randomCostsAreSolved(n: Int, levels: Int?) throws {
        for seed in 0..<5 {
            let costs = Self.random(n, seed, levels: levels)
            prove(try LinearAssignment(minimising: costs), costs)
        }
    }

    @Test func progressEndsWithAll() throws {
        var seen: [Int] = []
        _ = try LinearAssignment(minimising: Self.random(300, 1)) { done, all in
            #expect(all == 300)
            seen.append(done)
        }
        #expect(seen == seen.sorted() && seen.last == 300)
    }

    @Test func whatHasNoAnswerIsRefused() throws {
        #expect(try LinearAssignment(minimising: Matrix(rows: 0, columns: 0, elements: [])).columns.isEmpty)
        #expect(throws: LinearAlgebraError.self) {
            try LinearAssignment(minimising: Matrix(rows: 2, columns: 3, repeating: 0))
        }
        for bad in [Float.nan, .infinity] {
            var costs = Self.random(4, 0)
            costs[2, 1] = bad
            #expect(throws: LinearAlgebraError.notFinite(operation: "linear assignment", row: 2, column: 1)) {
                try LinearAssignment(minimising: costs)
            }
        }
    }
}
