import Architectures
import LinearAlgebra

extension FeedForwardRunner {
    /// - Parameter guide: decisions of another run, followed where they are ties.
    /// - Returns: what the experts make of `x`, and what their router decided.
    func callAsFunction(
        _ block: ExpertsBlock, _ x: States<Real>, guide: RoutingGuide?
    ) throws -> (states: States<Real>, routing: RoutingDecisions) {
        let routing = try route(block, x, guide)
        let y = States<Real>(zeros: x.rows, x.columns)
        for (expert, chosen) in routing.assignments(experts: block.experts.count).enumerated() where !chosen.isEmpty {
            let input = x.gathered(chosen.map(\.row))
            if block.scoring == .sigmoidOnInput {
                for (place, entry) in chosen.enumerated() {
                    let row = input.row(place)
                    for column in 0..<input.columns { row[column] *= Real(entry.weight) }
                }
            }
            let output = try self(block.experts[expert], input)
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
        return (y, routing)
    }

    private func route(_ block: ExpertsBlock, _ x: States<Real>, _ guide: RoutingGuide?) throws -> RoutingDecisions {
        let logits = try maps.apply(block.router, to: x)
        var bias: [Double]?
        if let name = block.choiceBias { bias = try maps.weights.values(name, as: Real.self).map { Double($0) } }
        let router = Router(block: block, bias: bias)
        return RoutingDecisions(
            rows: (0..<x.rows).map { row in
                let values = (0..<logits.columns).map { Double(logits.row(row)[$0]) }
                return router.decide(values, guide: guide, row: row)
            })
    }
}
