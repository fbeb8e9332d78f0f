import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// A residual stream that was turned, and the R that its anchors tell of, found without the key: the tables of tokens, or all that no
/// other site acts on.
///
/// Where the anchors' vectors E and E' of both models have `E' = E·Rᵀ`, the R of least squares is `E'ᵀE·(EᵀE)⁻¹`, and the nearest
/// orthogonal matrix to that is R up to what rounding blurs. That E' is E under it, and everything else what it should be, is for others to
/// prove.
struct TurnedStream: Sendable {
    /// Vectors of each anchor, in multiples of the stream's width, that tell R well enough.
    private static let rowsPerChannel = 4
    private static let chunkRows = 1024
    /// Below this the anchors tell too little of some direction.
    private static let ridge = 1e-10
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

    /// - Parameter anchors: slices of the site that tell of R, as nothing else acts on their tensors.
    init(
        _ site: Site, stacks: [Int], anchors: [Site.Slice], _ original: Checkpoint, _ protected: Checkpoint,
        threads: Int
    ) throws {
        (self.site, self.stacks) = (site, stacks)
        let d = site.group.dimension
        var (gram, cross) = (Self.zero(d), Self.zero(d))
        var (rows, roundoff) = (0, 0.0)
        for slice in anchors {
            guard let a = original.tensors[slice.tensor], let b = protected.tensors[slice.tensor], a.shape == b.shape,
                a.type == b.type, a.type.isComputable
            else { continue }
            let factors = StreamReader.factors(of: slice, in: original)
            guard let before = StreamVectors(slice, channels: d, in: original, factors: factors),
                let after = StreamVectors(slice, channels: d, in: protected, factors: [])
            else { continue }
            roundoff = max(roundoff, a.type.unitRoundoff ?? 0)
            rows += try Self.add(before, after, &gram, &cross, threads)
            original.releasePages(of: a)
            protected.releasePages(of: b)
        }
        let power = (0..<d).reduce(0.0) { $0 + gram[$1, $1] } / Double(max(d, 1))
        for i in 0..<d { gram[i, i] += Self.ridge * power }
        guard power > 0, power.isFinite, let inverse = try? gram.inverse() else {
            (matrix, blur) = (nil, power.isFinite ? .infinity : 0)
            return
        }
        let spread = (0..<d).reduce(0.0) { $0 + inverse[$1, $1] } * power / Double(max(rows, 1))
        blur = spread.squareRoot()
        guard blur <= Self.largestBlur else {
            matrix = nil
            return
        }
        let nearest = try Self.product(cross, transposed: false, inverse, threads)
        matrix = try Self.orthogonal(nearest: nearest, to: max(1e-3 * roundoff, 1e-12), threads)
    }

    private static func zero(_ d: Int) -> Matrix<Double> { Matrix(rows: d, columns: d, repeating: 0) }

    /// A·B or Aᵀ·B, by blocks of rows that threads share.
    private static func product(
        _ a: Matrix<Double>, transposed: Bool, _ b: Matrix<Double>, adding c: Matrix<Double>? = nil, _ threads: Int
    ) throws -> Matrix<Double> {
        var result = c ?? zero(b.columns)
        let (rows, columns) = (result.rows, result.columns)
        let block = max(64, (rows + threads - 1) / max(threads, 1))
        try a.withView { a in
            try b.withView { b in
                try result.withMutableView { c in
                    nonisolated(unsafe) let (a, b, base) = (a, b, c.base)
                    try WorkerThreads.forEach((rows + block - 1) / block, threads: threads) { number, _ in
                        let own = number * block..<min((number + 1) * block, rows)
                        let left =
                            transposed
                            ? a.window(rows: 0..<a.rows, columns: own) : a.window(rows: own, columns: 0..<a.columns)
                        try Products.multiply(
                            left, leftTransposed: transposed, by: b,
                            into: MutableMatrixView(
                                base.map { $0 + own.lowerBound * columns }, rows: own.count, columns: columns,
                                rowStride: columns), beta: 1)
                    }
                }
            }
        }
        return result
    }

    /// Adds EᵀE and E'ᵀE of some vectors, evenly spread, and returns how many. Each counts by its direction, as its rounding goes with its
    /// size.
    private static func add(
        _ a: StreamVectors, _ b: StreamVectors, _ gram: inout Matrix<Double>, _ cross: inout Matrix<Double>,
        _ threads: Int
    ) throws -> Int {
        let chosen = min(a.count, rowsPerChannel * a.channels)
        for start in stride(from: 0, to: chosen, by: chunkRows) {
            let numbers = (start..<min(start + chunkRows, chosen)).map { $0 * a.count / chosen }
            var (before, after) = (a.matrix(numbers), b.matrix(numbers))
            for row in numbers.indices {
                let size = (0..<a.channels).reduce(0.0) { $0 + before[row, $1] * before[row, $1] }.squareRoot()
                let scale = size > 0 ? 1 / size : 0
                for i in 0..<a.channels {
                    before[row, i] *= scale
                    after[row, i] *= scale
                }
            }
            gram = try product(before, transposed: true, before, adding: gram, threads)
            cross = try product(after, transposed: true, before, adding: cross, threads)
        }
        return chosen
    }

    /// The orthogonal factor of a polar decomposition, by `X ← X·(3 - XᵀX)/2` until XᵀX is the identity but for `error` in each
    /// column; nil where that leads nowhere, as X has a direction of size zero, or one of size √3 or more.
    private static func orthogonal(
        nearest start: Matrix<Double>, to error: Double, _ threads: Int
    ) throws -> Matrix<Double>? {
        var x = start
        let d = x.rows
        for _ in 0..<60 {
            var step = try product(x, transposed: true, x, threads)
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
            x = try product(x, transposed: false, step, threads)
        }
        return nil
    }
}
