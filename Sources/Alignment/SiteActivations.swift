import Architectures
import ForwardPass
import LinearAlgebra
import Symmetries

/// Gathers, in f64, products of what both models compute of the channels of one site, or of all heads of one block.
final class SiteActivations {
    /// What is seen of a site, by how its element acts on it.
    typealias Seen = [Representation: JointGram]

    /// Channels at a point.
    struct Source {
        let point: ActivationPoint
        let representation: Representation
        let channels: ActivationChannels
    }

    let sites: [Site]
    let sources: [Source]
    private(set) var seen: Seen = [:]
    /// Points that are still to come.
    private var open: Set<ActivationPoint>
    private let isWhole: Bool
    private let threads: Int

    /// - Parameter isWhole: whether products within each model are wanted, or norms alone.
    init(_ sites: [Site], _ sources: [Source], isWhole: Bool, threads: Int) {
        (self.sites, self.sources, self.isWhole, self.threads) = (sites, sources, isWhole, threads)
        open = Set(sources.map(\.point))
    }

    /// Adds what was computed in a step.
    func take(_ computed: [ActivationPoint: Model.PairedActivations]) throws {
        for source in sources {
            guard let pair = computed[source.point] else { continue }
            func product(_ x: Matrix<Float>, _ y: Matrix<Float>) throws -> Matrix<Double> {
                try source.channels.products(x, y, threads: threads)
            }
            let gram = JointGram(
                cross: try product(pair.own, pair.other), own: isWhole ? try product(pair.own, pair.own) : nil,
                before: isWhole ? try product(pair.other, pair.other) : nil,
                ownSquares: source.channels.squares(of: pair.own),
                beforeSquares: source.channels.squares(of: pair.other))
            seen[source.representation] = seen[source.representation].map { $0 + gram } ?? gram
        }
    }

    /// Forgets all sums.
    func clear() { seen = [:] }

    /// Whether nothing is to come any more, after these points.
    func isDone(after points: Set<ActivationPoint>) -> Bool {
        guard !open.isEmpty else { return false }
        open.subtract(points)
        return open.isEmpty
    }
}

extension JointGram {
    fileprivate static func + (a: JointGram, b: JointGram) -> JointGram {
        func sum(_ x: Matrix<Double>?, _ y: Matrix<Double>?) -> Matrix<Double>? { x.flatMap { x in y.map { x + $0 } } }
        return JointGram(
            cross: a.cross + b.cross, own: sum(a.own, b.own), before: sum(a.before, b.before),
            ownSquares: zip(a.ownSquares, b.ownSquares).map(+),
            beforeSquares: zip(a.beforeSquares, b.beforeSquares).map(+))
    }
}

extension ActivationChannels {
    /// Σ x² of each, over all rows.
    fileprivate func squares(of matrix: Matrix<Float>) -> [Double] {
        var sums = [Double](repeating: 0, count: count)
        matrix.elements.withUnsafeBufferPointer { values in
            for row in 0..<matrix.rows {
                let line = row * matrix.columns + start
                for channel in 0..<count {
                    let value = Double(values[line + channel * stride])
                    sums[channel] += value * value
                }
            }
        }
        return sums
    }
}
