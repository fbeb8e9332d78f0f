import ForwardPass
import LinearAlgebra

/// What the models of a lock step give in the end.
struct LockStepOutputs<Real: ComputeScalar> {
    private static var fewOutputs: Int { 1000 }

    let kind: OutputKind
    private let values: [Matrix<Real>]
    private let changed: [Matrix<Real>]
    private let rounded: [[Matrix<Real>]]
    private let drift: Comparison.Outputs
    private let floors: [Comparison.Outputs]

    init(
        _ original: (kind: OutputKind, values: [Matrix<Real>]), _ protected: [Matrix<Real>], _ noisy: [[Matrix<Real>]]
    ) {
        (kind, values) = original
        (changed, rounded) = (protected, noisy)
        drift = Comparison.Outputs(of: protected, beside: original.values, original.kind)
        floors = noisy.map { Comparison.Outputs(of: $0, beside: original.values, original.kind) }
    }

    var areFinite: Bool { values.allSatisfy { $0.elements.allSatisfy(\.isFinite) } }

    private var count: Int { values.reduce(0) { $0 + $1.elements.count } }

    /// A few outputs, such as class scores, are a small sample: by chance their drift is high.
    private var chance: Double { 1 + 2 / Double(max(count, 1)).squareRoot() }

    /// Of a small sample the floor is low by chance; then that of the layers stands in for it.
    func areRounding(_ tolerance: Comparison.DriftTolerance, layers: [Comparison.Layer]) -> Bool {
        let settled = count < Self.fewOutputs ? layers.map(\.floor).max() ?? 0 : 0
        let floor = NoiseLevel(floors.map(\.relativeError)).high
        return tolerance.allows(drift.relativeError, floor: chance * max(floor, settled))
    }

    /// Drift and floor with their agreement counted in rows that are no ties: those that rounding could not turn.
    func counted(_ tolerance: Comparison.DriftTolerance) -> (drift: Comparison.Outputs, floor: Comparison.Outputs) {
        let largest = values.reduce(0.0) { max($0, $1.elements.reduce(0.0) { max($0, Double($1.magnitude)) }) }
        let noise = floors.reduce(0) { max($0, $1.largestError) }
        let margin = 2 * max(tolerance.multiple * chance * noise, tolerance.absolute * largest)
        var (drift, floors) = (drift, floors)
        drift.countAgreement(of: changed, with: values, margin: margin)
        for draw in floors.indices { floors[draw].countAgreement(of: rounded[draw], with: values, margin: margin) }
        return (drift, Comparison.Outputs(over: floors))
    }
}

extension Comparison.Outputs {
    /// Several draws in one: root mean square, means, and what is largest or agrees least.
    init(over draws: [Comparison.Outputs]) {
        guard let first = draws.first else { return }
        self = first
        relativeError = NoiseLevel(draws.map(\.relativeError)).level
        meanDivergence = draws.reduce(0) { $0 + $1.meanDivergence } / Double(draws.count)
        largestDivergence = draws.reduce(0) { max($0, $1.largestDivergence) }
        largestError = draws.reduce(0) { max($0, $1.largestError) }
        agreeing = draws.reduce(first.agreeing) { min($0, $1.agreeing) }
        largestSimilarityChange = draws.compactMap(\.largestSimilarityChange).max()
    }
}
