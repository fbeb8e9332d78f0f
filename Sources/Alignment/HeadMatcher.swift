import Checkpoints
import LinearAlgebra
import Symmetries

/// Finds where whole heads went, by their circuits `RᵀL` (O·V and Qᵀ·K), which no element of a head's own site changes, or by what they add to the stream.
struct HeadMatcher {
    /// The sites within heads, by their paths.
    private let inner: [String: Site]
    let base: Checkpoint
    let protected: Checkpoint
    private let metric: ActivationMetric?
    /// Of what all heads of the block that is looked at give to its output projection; then heads are told by what they add to the stream.
    var contexts: JointGram?

    init(_ sites: [Site], base: Checkpoint, protected: Checkpoint, metric: ActivationMetric?) {
        inner = Dictionary(sites.map { ($0.path, $0) }) { first, _ in first }
        (self.base, self.protected, self.metric) = (base, protected, metric)
    }

    /// - Parameter site: of key/value heads, or of the query heads of one.
    func estimate(_ site: Site) throws -> Estimate {
        let count = site.group.dimension
        let (name, group) = Self.place(of: site)
        let scores: Matrix<Double>
        if let group {
            // Members of one key/value head: which query goes with which.
            scores = members(name, group, group)
        } else {
            var elements: [Double] = []
            for i in 0..<count {
                for j in 0..<count {
                    let scores = members(name, i, j)
                    elements.append(try Self.best(scores).score / Double(max(scores.rows, 1)))
                }
            }
            scores = Matrix(rows: count, columns: count, elements: elements)
        }
        guard scores.rows == count else {
            return Estimate(
                element: .monomial(.init(source: Array(0..<count), scale: Array(repeating: 1, count: count))),
                agreement: 0)
        }
        let best = try Self.best(scores)
        return Estimate(
            element: .monomial(Monomial(source: best.columns, scale: [Double](repeating: 1, count: count))),
            agreement: best.score / Double(max(count, 1)))
    }

    /// `layers.3.attention` of `layers.3.attention.heads`, and 2 of `layers.3.attention.members.2`.
    static func place(of site: Site) -> (block: String, group: Int?) {
        let parts = site.path.split(separator: ".")
        if parts.last == "heads" { return (parts.dropLast().joined(separator: "."), nil) }
        return (parts.dropLast(2).joined(separator: "."), parts.last.flatMap { Int($0) })
    }

    /// The assignment with the largest sum, and that sum.
    private static func best(_ scores: Matrix<Double>) throws -> (columns: [Int], score: Double) {
        let costs = Matrix<Float>(
            rows: scores.rows, columns: scores.columns, elements: scores.elements.map { Float(-$0) })
        let columns = try LinearAssignment(minimising: costs).columns
        return (columns, columns.enumerated().reduce(0) { $0 + scores[$1.offset, $1.element] })
    }

    /// The cosines of the circuits of one protected head's queries with those of one of the base's: members x members, over all circuits.
    private func members(_ block: String, _ own: Int, _ before: Int) -> Matrix<Double> {
        if let contexts {
            return contributions(
                inner["\(block).vo.\(own)"], inner["\(block).vo.\(before)"], contexts)
        }
        var sum: Matrix<Double>?
        var kinds = 0.0
        for kind in ["vo", "qk"] {
            guard let a = self.inner["\(block).\(kind).\(own)"], let b = self.inner["\(block).\(kind).\(before)"] else {
                continue
            }
            let (left, left0) = (side(a, .direct, protected), side(b, .direct, base))
            let (rights, rights0) = (duals(a, protected), duals(b, base))
            guard !rights.isEmpty, rights.count == rights0.count else { continue }
            let cross = left * left0.transposed
            let (gram, gram0) = (left * left.transposed, left0 * left0.transposed)
            var scores = Matrix<Double>(rows: rights.count, columns: rights.count, repeating: 0)
            func inner(_ x: Matrix<Double>, _ y: Matrix<Double>) -> Double {
                zip(x.elements, y.elements).reduce(0) { $0 + $1.0 * $1.1 }
            }
            let sizes = rights.map { inner(gram, $0 * $0.transposed) }
            let sizes0 = rights0.map { inner(gram0, $0 * $0.transposed) }
            for (i, right) in rights.enumerated() {
                for (j, right0) in rights0.enumerated() {
                    let size = (sizes[i] * sizes0[j]).squareRoot()
                    scores[i, j] = size > 0 ? inner(cross, right * right0.transposed) / size : 0
                }
            }
            sum = sum.map { $0 + scores } ?? scores
            kinds += 1
        }
        return sum.map { $0 * (1 / kinds) } ?? Matrix(rows: 0, columns: 0, repeating: 0)
    }

    private func side(_ site: Site, _ representation: Representation, _ checkpoint: Checkpoint) -> Matrix<Double> {
        SiteRows.rows(
            site.slices.filter { $0.representation == representation }, channels: site.group.dimension, checkpoint,
            metric: metric)
    }

    /// One for each query head.
    private func duals(_ site: Site, _ checkpoint: Checkpoint) -> [Matrix<Double>] {
        var byMember: [Int: [Site.Slice]] = [:]
        for slice in site.slices where slice.representation == .dual {
            switch slice.part {
            case .query(let member), .output(let member): byMember[member, default: []].append(slice)
            default: continue
            }
        }
        return byMember.sorted { $0.key < $1.key }.map {
            SiteRows.rows($0.value, channels: site.group.dimension, checkpoint, metric: metric)
        }
    }
}
