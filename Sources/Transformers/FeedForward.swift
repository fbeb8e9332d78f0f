import Architectures
import Glibc
import LinearAlgebra

func logarithm(_ x: Double) -> Double { log(x) }

/// Feed-forward blocks, alone or as experts.
struct FeedForwardRunner<Real: ComputeScalar>: Sendable {
    let maps: LinearMaps<Real>

    func callAsFunction(_ block: MLPBlock, _ x: States<Real>) throws -> States<Real> {
        let hidden: States<Real>
        if let gate = block.gate {
            let (g, u) = try gateAndUp(gate, block.up, x)
            if let clamp = block.clamp {
                Self.clamped(g, u, clamp)
            } else {
                block.activation.apply(g.base, g.count)
                Real.multiply(g.base, by: u.base, g.count)
            }
            hidden = g
        } else {
            hidden = try maps.apply(block.up, to: x)
            block.activation.apply(hidden.base, hidden.count)
        }
        return try maps.apply(block.down, to: hidden)
    }

    private func gateAndUp(
        _ gate: Projection, _ up: Projection, _ x: States<Real>
    ) throws -> (States<Real>, States<Real>) {
        guard gate.weight == up.weight, gate.expert == up.expert else {
            return (try maps.apply(gate, to: x), try maps.apply(up, to: x))
        }
        let both = try maps.applyStored(gate, to: x)
        func part(_ projection: Projection) -> States<Real> {
            both.columns(
                from: projection.outputOffset, count: projection.outputCount, stride: projection.outputStride)
        }
        return (part(gate), part(up))
    }

    /// g ← min(g, l)·σ(α·min(g, l))·(clamp(u, ±l) + 1).
    private static func clamped(_ g: States<Real>, _ u: States<Real>, _ clamp: MLPBlock.Clamp) {
        let limit = Real(clamp.limit)
        for i in 0..<g.count {
            g.base[i] = min(g.base[i], limit)
            u.base[i] = min(max(u.base[i], -limit), limit) + 1
        }
        Real.quickGelu(g.base, g.count, Real(clamp.alpha))
        Real.multiply(g.base, by: u.base, g.count)
    }

    func callAsFunction(_ block: ExpertsBlock, _ x: States<Real>) throws -> States<Real> {
        let choice = try route(block, x)
        let y = States<Real>(zeros: x.rows, x.columns)
        for (number, expert) in block.experts.enumerated() {
            let chosen = choice.filter { $0.expert == number }
            guard !chosen.isEmpty else { continue }
            let input = x.gathered(chosen.map(\.row))
            if block.scoring == .sigmoidOnInput {
                for (place, entry) in chosen.enumerated() {
                    let row = input.row(place)
                    for column in 0..<input.columns { row[column] *= Real(entry.weight) }
                }
            }
            let output = try self(expert, input)
            for (place, entry) in chosen.enumerated() {
                let weight = block.scoring == .sigmoidOnInput ? 1 : Real(entry.weight)
                Real.add(y.row(entry.row), output.row(place), y.columns, weight)
            }
        }
        if let shared = block.shared {
            let output = try self(shared, x)
            if let gate = block.sharedGate {
                let share = try maps.apply(gate, to: x)
                Real.sigmoid(share.base, share.count, 1)
                for row in 0..<output.rows {
                    for column in 0..<output.columns { output.row(row)[column] *= share.base[row] }
                }
            }
            y.add(output)
        }
        return y
    }

    private struct Choice {
        let row: Int
        let expert: Int
        let weight: Double
    }

    private func route(_ block: ExpertsBlock, _ x: States<Real>) throws -> [Choice] {
        let logits = try maps.apply(block.router, to: x)
        var bias: [Real]?
        if let name = block.choiceBias { bias = try maps.weights.values(name) }
        var choices: [Choice] = []
        for row in 0..<x.rows {
            let values = (0..<logits.columns).map { Double(logits.row(row)[$0]) }
            choices += Self.choose(block, values, bias?.map { Double($0) }).map {
                Choice(row: row, expert: $0.expert, weight: $0.weight)
            }
        }
        return choices
    }

    private static func choose(
        _ block: ExpertsBlock, _ logits: [Double], _ bias: [Double]?
    ) -> [(expert: Int, weight: Double)] {
        func softmax(_ values: [Double]) -> [Double] {
            let top = values.max() ?? 0
            let powers = values.map { exp($0 - top) }
            let sum = powers.reduce(0, +)
            return powers.map { $0 / sum }
        }
        var scores: [Double]
        switch block.scoring {
        case .softmax: scores = softmax(logits)
        case .softmaxOfChosen: scores = logits
        case .sigmoid, .sigmoidOnInput: scores = logits.map { 1 / (1 + exp(-$0)) }
        }
        let ranking =
            bias.map { zip(scores, $0).map { $0 + $1 } } ?? (block.scoring == .sigmoidOnInput ? logits : scores)
        func best(_ candidates: [Int], _ count: Int, _ value: (Int) -> Double) -> [Int] {
            // NaN goes last: sorting needs an order.
            func rank(_ candidate: Int) -> Double { value(candidate).isNaN ? -.infinity : value(candidate) }
            return Array(candidates.sorted { (rank($0), $1) > (rank($1), $0) }.prefix(count))
        }
        var candidates = Array(logits.indices)
        if block.groups > 1 {
            let size = logits.count / block.groups
            let groupScores = (0..<block.groups).map { group in
                (group * size..<(group + 1) * size).map { ranking[$0].isNaN ? -.infinity : ranking[$0] }.sorted(by: >)
                    .prefix(2).reduce(0, +)
            }
            let groups = best(Array(0..<block.groups), block.chosenGroups) { groupScores[$0] }
            candidates = candidates.filter { groups.contains($0 / size) }
        }
        let chosen = best(candidates, block.chosen) { ranking[$0] }
        var weights = chosen.map { scores[$0] }
        if block.scoring == .softmaxOfChosen { weights = softmax(weights) }
        if block.normalizes {
            let sum = weights.reduce(0, +) + (block.scoring == .sigmoid ? 1e-20 : 0)
            weights = weights.map { $0 / sum }
        }
        return zip(chosen, weights).map { ($0, $1 * block.scale) }
    }
}
