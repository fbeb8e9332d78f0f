import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// A residual stream that was turned, and the R that its anchors tell of, found without the key: the tables of tokens, or all that no
/// other site acts on.
///
/// Where the anchors' vectors E and E' of both models have `E' = E·Rᵀ`, the R of least squares is `E'ᵀE·(EᵀE)⁻¹`, and the nearest
/// orthogonal matrix to that is R up to what rounding blurs. Anchors that lie in few directions, as filters of pictures do, still tell the
/// hidden channels of MLPs apart, whose rows then tell the rest. That E' is E under it, and everything else what it should be, is for others to
/// prove.
struct TurnedStream: Sendable {
    /// Up to this more vectors would not tell R much better.
    private static let clearBlur = 2.0
    /// Beyond this, which no tolerance makes room for, a sound model could not be told from another.
    private static let largestBlur = 64.0

    let site: Site
    /// Places in `Architecture.stacks`.
    let stacks: [Int]
    /// R; nil where the anchors tell of no orthogonal one.
    let matrix: Matrix<Double>?
    /// What the anchors' rounding leaves unknown of R·g for a random g, in roundoffs.
    let blur: Double

    /// What tells of R: tables of tokens and the head beside them; where the stream has none, every slice whose tensor no other site
    /// acts on.
    static func anchors(
        of site: Site, tables: Set<String>, head: String?, beside others: [Site]
    ) -> [Site.Slice] {
        let own = site.slices.filter { $0.axis == 1 && (tables.contains($0.tensor) || $0.tensor == head) }
        guard !own.contains(where: { tables.contains($0.tensor) }) else { return own }
        var isActedOn: Set<String> = []
        for other in others where other.path != site.path {
            isActedOn.formUnion(other.slices.map(\.tensor) + other.exchanges.flatMap(\.self))
        }
        return site.slices.filter { !isActedOn.contains($0.tensor) }
    }

    /// What is wrong with the stream as a whole, in one sentence.
    var problem: String? {
        guard matrix == nil else { return nil }
        return blur > Self.largestBlur
            ? "\(site.path): too few tensors lie on the stream and on nothing else to tell its matrix, so that nothing is proved of it"
            : "\(site.path): the tensors that lie on the stream and on nothing else are not the original's turned"
    }

    /// Whether R is another matrix than the identity, by more than rounding could make it.
    var isMoved: Bool {
        matrix.map { matrix in
            matrix.elements.enumerated().contains { place, value in
                (value - (place / matrix.columns == place % matrix.columns ? 1 : 0)).magnitude > 0.01
            }
        } ?? true
    }

    /// - Parameters:
    ///   - anchors: slices of the site that tell of R, as nothing else acts on their tensors.
    ///   - permuted: sites whose channels read the stream: where anchors tell too little, they are matched and tell of R, too.
    init(
        _ site: Site, stacks: [Int], anchors: [Site.Slice], permuted: [Site], _ original: Checkpoint,
        _ protected: Checkpoint, threads: Int
    ) throws {
        (self.site, self.stacks) = (site, stacks)
        var equations = StreamEquations(channels: site.group.dimension, seed: site.path, threads: threads)
        for slice in anchors { try equations.add(slice, original, protected) }
        var (inverse, blur) = equations.solution
        if blur > Self.clearBlur {
            for inner in permuted { try equations.addRows(of: inner, reading: site, original, protected) }
            (inverse, blur) = equations.solution
        }
        self.blur = blur
        guard let inverse, blur <= Self.largestBlur else {
            matrix = nil
            return
        }
        let nearest = try StreamEquations.product(equations.cross, transposed: false, inverse, threads)
        matrix = try Self.orthogonal(nearest: nearest, to: max(1e-3 * equations.roundoff, 1e-12), threads)
    }

    /// The orthogonal factor of a polar decomposition, by `X ← X·(3 - XᵀX)/2` until XᵀX is the identity but for `error` in each
    /// column; nil where that leads nowhere, as X has a direction of size zero, or one of size √3 or more.
    private static func orthogonal(
        nearest start: Matrix<Double>, to error: Double, _ threads: Int
    ) throws -> Matrix<Double>? {
        var x = start
        let d = x.rows
        for _ in 0..<60 {
            var step = try StreamEquations.product(x, transposed: true, x, threads)
            var found = 0.0
            for i in 0..<d {
                for j in 0..<d {
                    let value = step[i, j] - (i == j ? 1 : 0)
                    found += value * value
                    step[i, j] = -0.5 * value + (i == j ? 1 : 0)
                }
            }
            guard found.isFinite else { return nil }
            if found <= error * error * Double(d) { return x }
            x = try StreamEquations.product(x, transposed: false, step, threads)
        }
        return nil
    }
}
