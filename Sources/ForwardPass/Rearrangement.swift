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

    /// What became of a residual stream's channels.
    public enum Stream: Sendable {
        case moved(Line)
        /// The other's states are `R·x`, for an orthogonal R. What its last norm gives lacks the gains, which others have taken.
        case turned(Turning, lastGains: [Double])

        func apply<Real: ComputeScalar>(to states: States<Real>) -> States<Real> {
            switch self {
            case .moved(let line): states.arranged(line)
            case .turned(let turning, _): states.turned(by: turning, isInverse: false)
            }
        }

        func undo<Real: ComputeScalar>(in states: States<Real>) -> States<Real> {
            switch self {
            case .moved(let line): states.arranged(line.inverse)
            case .turned(let turning, _): states.turned(by: turning, isInverse: true)
            }
        }
    }

    /// An orthogonal matrix in both arithmetics.
    public struct Turning: Sendable {
        fileprivate let double: Matrix<Double>
        fileprivate let single: Matrix<Float>

        public init(_ matrix: Matrix<Double>) { (double, single) = (matrix, Matrix<Float>(rounding: matrix)) }

        fileprivate func matrix<Real: ComputeScalar>(_ type: Real.Type) -> Matrix<Real>? {
            double as? Matrix<Real> ?? single as? Matrix<Real>
        }
    }

    public static let none = Rearrangement(streams: [:], experts: [:]) { Tensor(name: $0, rows: nil, columns: nil) }

    /// By the number of a stack: channels of its residual stream.
    package let streams: [Int: Stream]
    /// By the name of a block with a router: its experts.
    let experts: [String: [Int]]
    let tensor: @Sendable (String) -> Tensor

    /// Whether tensors of one model can't stand in the other as they are, wherever they are put.
    package var turnsStreams: Bool {
        streams.values.contains { if case .turned = $0 { true } else { false } }
    }

    public init(streams: [Int: Stream], experts: [String: [Int]], tensor: @escaping @Sendable (String) -> Tensor) {
        (self.streams, self.experts, self.tensor) = (streams, experts, tensor)
    }

    /// The original's states as the other model has them.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func arranged<Real>(_ states: States<Real>, stack: Int) -> States<Real> {
        streams[stack]?.apply(to: states) ?? states
    }

    /// The other model's states as the original has them.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func restored<Real>(_ states: States<Real>, stack: Int) -> States<Real> {
        streams[stack]?.undo(in: states) ?? states
    }

    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func arranged<Real>(
        _ encoder: [(states: States<Real>, positions: Positions)]
    ) -> [(states: States<Real>, positions: Positions)] {
        encoder.enumerated().map { stack, encoded in
            guard case .turned(_, let gains)? = streams[stack] else {
                return (arranged(encoded.states, stack: stack), encoded.positions)
            }
            return (arranged(encoded.states.divided(by: gains), stack: stack), encoded.positions)
        }
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
    /// Every row x becomes `R·x`, or `Rᵀ·x`.
    fileprivate func turned(by turning: Rearrangement.Turning, isInverse: Bool) -> States {
        guard let matrix = turning.matrix(Real.self), matrix.columns == columns else { return self }
        let result = States(rows: rows, columns: columns)
        matrix.withView { right in
            try? Products.multiply(
                view, by: right, rightTransposed: !isInverse,
                into: result.mutableWindow(rows: 0..<rows, columns: 0..<columns))
        }
        return result
    }

    /// Every column by its number; the same where there are none.
    func divided(by factors: [Double]) -> States {
        guard factors.count == columns else { return self }
        let result = States(self)
        for i in 0..<rows { for j in 0..<columns { result.row(i)[j] /= Real(factors[j]) } }
        return result
    }

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
