import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// What vectors x of a residual stream and the turned ones y = R·x say of R: the least squares of `Σ ‖y - R·x‖²/‖x‖²`.
///
/// Each pair counts by its direction, as its rounding goes with its size.
struct StreamEquations {
    /// Vectors of each slice, in multiples of the stream's width, that are enough.
    private static let rowsPerChannel = 4
    private static let chunkRows = 1024
    /// Below this the vectors tell too little of some direction.
    private static let ridge = 1e-10
    private static let probes = 32

    /// Σ y·xᵀ.
    private(set) var cross: Matrix<Double>
    /// Σ x·xᵀ.
    private var gram: Matrix<Double>
    private var count = 0
    private(set) var roundoff = 0.0
    /// Random sums of the x and, with the same coefficients, of the y: pairs that hold as exactly as each of them, in few directions or many.
    private var (before, after): (Matrix<Double>, Matrix<Double>)
    private var random: KeyedRandomStream
    private let channels, threads: Int

    init(channels d: Int, seed: String, threads: Int) {
        (channels, self.threads) = (d, threads)
        (gram, cross) = (Self.zero(d, d), Self.zero(d, d))
        (before, after) = (Self.zero(d, Self.probes), Self.zero(d, Self.probes))
        random = KeyedRandomStream(secret: [], info: "mergeproof/stream/\(seed)")
    }

    private static func zero(_ rows: Int, _ columns: Int) -> Matrix<Double> {
        Matrix(rows: rows, columns: columns, repeating: 0)
    }

    /// `(Σ x·xᵀ)⁻¹`, nil where there is none, and what rounding leaves unknown of R·g for a random g, in roundoffs.
    var solution: (inverse: Matrix<Double>?, blur: Double) {
        let power = (0..<channels).reduce(0.0) { $0 + gram[$1, $1] } / Double(max(channels, 1))
        // What is no number tells nothing, but not too little.
        guard power.isFinite else { return (nil, 0) }
        var ridged = gram
        for i in 0..<channels { ridged[i, i] += Self.ridge * power }
        guard power > 0, let inverse = try? ridged.inverse() else { return (nil, .infinity) }
        let spread = (0..<channels).reduce(0.0) { $0 + inverse[$1, $1] } * power / Double(max(count, 1))
        return (inverse, spread.squareRoot())
    }

    /// Adds what a slice of the stream's site holds, evenly spread, where both models have it.
    mutating func add(_ slice: Site.Slice, _ original: Checkpoint, _ protected: Checkpoint) throws {
        guard let (a, b) = pair(slice, original, protected) else { return }
        let chosen = min(a.count, Self.rowsPerChannel * channels)
        for start in stride(from: 0, to: chosen, by: Self.chunkRows) {
            let numbers = (start..<min(start + Self.chunkRows, chosen)).map { $0 * a.count / chosen }
            try add(a.matrix(numbers), b.matrix(numbers))
        }
    }

    /// Adds the rows of an inner site's maps that read the stream, where the site does no more than to permute them.
    mutating func addRows(
        of inner: Site, reading site: Site, _ original: Checkpoint, _ protected: Checkpoint
    ) throws {
        guard case .monomial(let rows, let scales) = inner.group else { return }
        let (known, turned) = (before, after)
        for own in inner.slices where own.axis == 0 && own.width == 1 && own.across == nil && own.stride == 1 {
            guard scales == .unit || own.representation == .permutation,
                let slice = site.slices.first(where: { $0.tensor == own.tensor && $0.axis == 1 }),
                let (a, b) = pair(slice, original, protected), own.start + rows <= a.count
            else { continue }
            let numbers = Array(own.start..<own.start + rows)
            let (x, y) = (a.matrix(numbers), b.matrix(numbers))
            let source = NearestRows((x * known).elements, count: rows).matching((y * turned).elements)
            var matched = Matrix<Double>(rows: rows, columns: channels, repeating: 0)
            for row in 0..<rows { for i in 0..<channels { matched[row, i] = x[source[row], i] } }
            try add(matched, y)
        }
    }

    private mutating func pair(
        _ slice: Site.Slice, _ original: Checkpoint, _ protected: Checkpoint
    ) -> (StreamVectors, StreamVectors)? {
        guard let a = original.tensors[slice.tensor], let b = protected.tensors[slice.tensor], a.shape == b.shape,
            a.type == b.type,
            let before = StreamVectors(
                slice, channels: channels, in: original, factors: StreamReader.factors(of: slice, in: original)),
            let after = StreamVectors(slice, channels: channels, in: protected, factors: [])
        else { return nil }
        roundoff = max(roundoff, a.type.unitRoundoff ?? 0)
        return (before, after)
    }

    /// Vectors in rows.
    private mutating func add(_ x: Matrix<Double>, _ y: Matrix<Double>) throws {
        var (x, y) = (x, y)
        let count = x.rows
        x.withMutableView { x in
            y.withMutableView { y in
                guard let x = x.base, let y = y.base else { return }
                for start in stride(from: 0, to: count * channels, by: channels) {
                    var size = 0.0
                    for i in start..<start + channels { size += x[i] * x[i] }
                    let scale = size > 0 ? 1 / size.squareRoot() : 0
                    for i in start..<start + channels {
                        x[i] *= scale
                        y[i] *= scale
                    }
                }
            }
        }
        let coefficients = random.gaussianMatrix(rows: count, columns: Self.probes)
        gram = try Self.product(x, transposed: true, x, adding: gram, threads)
        cross = try Self.product(y, transposed: true, x, adding: cross, threads)
        before = try Self.product(x, transposed: true, coefficients, adding: before, threads)
        after = try Self.product(y, transposed: true, coefficients, adding: after, threads)
        self.count += count
    }

    /// A·B or Aᵀ·B, by blocks of rows that threads share.
    static func product(
        _ a: Matrix<Double>, transposed: Bool, _ b: Matrix<Double>, adding c: Matrix<Double>? = nil, _ threads: Int
    ) throws -> Matrix<Double> {
        var result = c ?? zero(b.columns, b.columns)
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
}
