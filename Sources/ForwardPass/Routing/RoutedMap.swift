import Architectures
import Foundations
import Glibc
import LinearAlgebra

/// A linear map with additions beside it, among which every row x chooses for itself, as SMILE has it (arXiv 2408.10174):
///
///     y = W₀·x + b₀ + Σ_{i ∈ T} p_i·(ΔW_i·x + Δb_i),   r_i = ‖G_i·x‖₂,   p = softmax of r over T
///
/// T are the `chosen` largest r_i, of equal ones the first. Softmax over all r, divided by its sum over T, is the same p.
package struct RoutedMap: Sendable {
    package enum Addition: Sendable {
        /// ΔW = L·R with L (m x k) and R (k x n), and Δb (m), empty where there is none.
        case factors(left: Matrix<Float>, right: Matrix<Float>, bias: [Float])
        /// ΔW = W - W₀ and Δb = b - b₀ of the same map in other weights, where they are read: p·(W·x + b) takes the place of p·(W₀·x + b₀).
        case whole(Weights)
    }

    package struct Expert: Sendable {
        /// G, g x n.
        let gate: Matrix<Float>
        let addition: Addition

        package init(gate: Matrix<Float>, _ addition: Addition) { (self.gate, self.addition) = (gate, addition) }
    }

    /// Rows that one product takes.
    private static let tileRows = 64

    private let experts: [Expert]
    private let chosen: Int

    /// - Parameter chosen: 1 at least; all experts where there are fewer.
    package init(_ experts: [Expert], choosing chosen: Int) { (self.experts, self.chosen) = (experts, max(chosen, 1)) }

    /// Makes y of W₀·x + b₀.
    ///
    /// - Parameter projection: the map that was applied to x.
    func add<Real: ComputeScalar>(
        to y: States<Real>, reading x: States<Real>, of projection: Projection, threads: Int
    ) throws {
        let assignments = try assignments(x, threads: threads)
        keepShares(of: y, assignments)
        for (expert, entries) in zip(experts, assignments) where !entries.isEmpty {
            let input = x.gathered(entries.map(\.row))
            switch expert.addition {
            case .whole(let weights):
                let maps = LinearMaps<Real>(weights: weights, threads: threads, observer: nil)
                let output = try maps.applyStored(projection, to: input)
                for (place, entry) in entries.enumerated() {
                    Real.add(y.row(entry.row), output.row(place), y.columns, Real(entry.weight))
                }
            case .factors(let left, let right, let bias):
                let inner = try Self.product(input, right, threads: threads)
                let output = try Self.product(inner, left, threads: threads)
                let bias = bias.map { Real($0) }
                for (place, entry) in entries.enumerated() {
                    Real.add(y.row(entry.row), output.row(place), y.columns, Real(entry.weight))
                    guard bias.count == y.columns else { continue }
                    Real.add(y.row(entry.row), bias, y.columns, Real(entry.weight))
                }
            }
        }
    }

    /// What of W₀·x + b₀ other maps take the place of goes.
    private func keepShares<Real: ComputeScalar>(of y: States<Real>, _ assignments: [[(row: Int, weight: Double)]]) {
        var shares = [Double](repeating: 1, count: y.rows)
        for (expert, entries) in zip(experts, assignments) {
            guard case .whole = expert.addition else { continue }
            for entry in entries { shares[entry.row] -= entry.weight }
        }
        for (row, share) in shares.enumerated() where share != 1 {
            for column in 0..<y.columns { y.row(row)[column] *= Real(share) }
        }
    }

    /// For each expert the rows that choose it, and its p in them.
    private func assignments<Real: ComputeScalar>(
        _ x: States<Real>, threads: Int
    ) throws -> [[(row: Int, weight: Double)]] {
        let norms = try experts.map { try Self.norms(x, $0.gate, threads: threads) }
        var result = [[(row: Int, weight: Double)]](repeating: [], count: experts.count)
        for row in 0..<x.rows {
            let choice = choice(norms.map { $0[row] })
            for (expert, weight) in choice { result[expert].append((row, weight)) }
        }
        return result
    }

    private func choice(_ r: [Double]) -> [(expert: Int, weight: Double)] {
        // NaN goes last: sorting needs an order.
        func rank(_ expert: Int) -> Double { r[expert].isNaN ? -.infinity : r[expert] }
        let best = r.indices.sorted { (rank($0), $1) > (rank($1), $0) }.prefix(chosen)
        guard let top = best.first.map({ r[$0] }) else { return [] }
        let powers = best.map { exp(r[$0] - top) }
        let sum = powers.reduce(0, +)
        return zip(best, powers).map { ($0, $1 / sum) }
    }

    /// ‖G·x‖₂ of every row.
    private static func norms<Real: ComputeScalar>(
        _ x: States<Real>, _ gate: Matrix<Float>, threads: Int
    ) throws -> [Double] {
        let z = try product(x, gate, threads: threads)
        return (0..<z.rows).map { Double(Real.sumOfSquares(z.row($0), z.columns, mean: 0)).squareRoot() }
    }

    /// x·Aᵀ.
    private static func product<Real: ComputeScalar>(
        _ x: States<Real>, _ a: Matrix<Float>, threads: Int
    ) throws -> States<Real> {
        guard a.rows > 0, a.columns > 0 else { return States(zeros: x.rows, a.rows) }
        let y = States<Real>(rows: x.rows, columns: a.rows)
        let a = a as? Matrix<Real> ?? Matrix<Real>(a)
        let tiles = (x.rows + tileRows - 1) / tileRows
        try WorkerThreads.forEach(tiles, threads: threads) { tile, _ in
            let rows = tile * tileRows..<min((tile + 1) * tileRows, x.rows)
            let (source, target) = (
                x.window(rows: rows, columns: 0..<x.columns), y.mutableWindow(rows: rows, columns: 0..<y.columns)
            )
            try a.withView { try Products.multiply(source, by: $0, rightTransposed: true, into: target) }
        }
        return y
    }
}

extension Weights {
    /// The same with additions to some linear maps. Each costs memory for its matrices as they are given, in f32: g·n for a gate, k·(m + n) for factors.
    package func routed(by maps: [ActivationPoint.StoredMap: RoutedMap]) -> Weights {
        var copy = self
        copy.routing = maps
        return copy
    }
}
