import LinearAlgebra

/// How another model's residual streams, experts and tensors are arranged beside an original's: what must be known to compare the two in
/// the middle of their layers. What they give in the end needs none of it.
public struct Rearrangement: Sendable {
    /// Index i of the other holds ± index `source[i]` of the original.
    public struct Line: Sendable, Equatable {
        public let source: [Int]
        public let isNegative: [Bool]

        public init(source: [Int], isNegative: [Bool]) {
            (self.source, self.isNegative) = (source, isNegative)
        }

        var inverse: Line {
            var (back, signs) = (source, isNegative)
            for (place, origin) in source.enumerated() { (back[origin], signs[origin]) = (place, isNegative[place]) }
            return Line(source: back, isNegative: signs)
        }
    }

    /// A tensor of the original as the other model arranges it; nil axes stay.
    public struct Tensor: Sendable {
        /// Its name in the other model.
        public let name: String
        public let rows, columns: Line?

        public init(name: String, rows: Line?, columns: Line?) {
            (self.name, self.rows, self.columns) = (name, rows, columns)
        }
    }

    public static let none = Rearrangement(streams: [:], experts: [:]) { Tensor(name: $0, rows: nil, columns: nil) }

    /// By the number of a stack: channels of its residual stream.
    package let streams: [Int: Line]
    /// By the name of a block with a router: its experts.
    let experts: [String: [Int]]
    let tensor: @Sendable (String) -> Tensor

    public init(streams: [Int: Line], experts: [String: [Int]], tensor: @escaping @Sendable (String) -> Tensor) {
        (self.streams, self.experts, self.tensor) = (streams, experts, tensor)
    }

    /// The original's states as the other model has them.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func arranged<Real>(_ states: States<Real>, stack: Int) -> States<Real> {
        streams[stack].map(states.arranged) ?? states
    }

    /// The other model's states as the original has them.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func restored<Real>(_ states: States<Real>, stack: Int) -> States<Real> {
        streams[stack].map { states.arranged($0.inverse) } ?? states
    }

    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func arranged<Real>(
        _ encoder: [(states: States<Real>, positions: Positions)]
    ) -> [(states: States<Real>, positions: Positions)] {
        encoder.enumerated().map { (arranged($1.states, stack: $0), $1.positions) }
    }

    package func arranged(_ guide: RoutingGuide?, block: String) -> RoutingGuide? {
        experts[block].map { order in guide.map { $0.arranged(order) } } ?? guide
    }

    package func restored(_ decisions: RoutingDecisions?, block: String) -> RoutingDecisions? {
        guard let order = experts[block] else { return decisions }
        var back = order
        for (place, origin) in order.enumerated() { back[origin] = place }
        return decisions?.arranged(back)
    }
}

extension States {
    /// Column i holds ± what column `source[i]` held.
    func arranged(_ line: Rearrangement.Line) -> States {
        guard line.source.count == columns else { return self }
        let result = States(rows: rows, columns: columns)
        for i in 0..<rows {
            let (target, stored) = (result.row(i), row(i))
            for j in 0..<columns { target[j] = line.isNegative[j] ? -stored[line.source[j]] : stored[line.source[j]] }
        }
        return result
    }
}

extension RoutingDecisions {
    /// Expert e is what expert `order[e]` was.
    func arranged(_ order: [Int]) -> RoutingDecisions {
        var place = order
        for (new, old) in order.enumerated() { place[old] = new }
        return RoutingDecisions(
            rows: rows.map { row in
                .init(
                    ranking: order.map { row.ranking[$0] }, groupRanking: row.groupRanking, groups: row.groups,
                    experts: row.experts.map { place[$0] }, weights: row.weights, outcome: row.outcome)
            })
    }
}
