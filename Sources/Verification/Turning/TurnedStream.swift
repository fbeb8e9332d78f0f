import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// A residual stream that was turned, and the R that its tables tell of, found without the key.
///
/// Where the tables E and E' of both models have `E' = E·Rᵀ`, the R of least squares is `E'ᵀE·(EᵀE)⁻¹`, and the nearest orthogonal
/// matrix to that is R up to what rounding blurs. That E' is E under it, and everything else what it should be, is for others to prove.
struct TurnedStream: Sendable {
    /// Rows of each table, in multiples of the stream's width, that tell R well enough.
    private static let rowsPerChannel = 4
    private static let chunkRows = 1024
    /// Rows that are read before their pages are let go.
    private static let releasedRows = 64
    /// Below this the tables tell too little of some direction.
    private static let ridge = 1e-10

    let site: Site
    /// Places in `Architecture.stacks`.
    let stacks: [Int]
    /// R; nil where the tables tell of no orthogonal one.
    let matrix: Matrix<Double>?
    /// What the tables' rounding leaves unknown of R·g for a random g, in roundoffs.
    let blur: Double

    /// Whether R is another matrix than the identity, by more than rounding could make it.
    var isMoved: Bool {
        matrix.map { matrix in
            matrix.elements.enumerated().contains { place, value in
                (value - (place / matrix.columns == place % matrix.columns ? 1 : 0)).magnitude > 0.01
            }
        } ?? true
    }

    /// - Parameter head: what reads the stream into scores beside its tables, where that is no table.
    init(
        _ site: Site, stacks: [Int], tables: Set<String>, head: String?, _ original: Checkpoint,
        _ protected: Checkpoint, threads: Int
    ) throws {
        (self.site, self.stacks) = (site, stacks)
        let d = site.group.dimension
        var (gram, cross) = (Self.zero(d), Self.zero(d))
        var (rows, roundoff) = (0, 0.0)
        for slice in site.slices where slice.axis == 1 && (tables.contains(slice.tensor) || slice.tensor == head) {
            guard let a = original.tensors[slice.tensor], let b = protected.tensors[slice.tensor], a.shape == b.shape,
                a.type == b.type, a.matrixShape.columns == d, slice.start == 0
            else { continue }
            roundoff = max(roundoff, a.type.unitRoundoff ?? 0)
            rows += try Self.add(
                a, b, factors: StreamReader.gain(slice.gain, in: original), original, protected, &gram, &cross, threads)
        }
        let power = (0..<d).reduce(0.0) { $0 + gram[$1, $1] } / Double(max(d, 1))
        for i in 0..<d { gram[i, i] += Self.ridge * power }
        guard power > 0, power.isFinite, let inverse = try? gram.inverse() else {
            (matrix, blur) = (nil, .infinity)
            return
        }
        let nearest = try Self.product(cross, transposed: false, inverse, threads)
        matrix = try Self.orthogonal(nearest: nearest, to: max(1e-3 * roundoff, 1e-12), threads)
        let spread = (0..<d).reduce(0.0) { $0 + inverse[$1, $1] } * power / Double(max(rows, 1))
        blur = spread.squareRoot()
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

    /// Adds EᵀE and E'ᵀE of some rows, evenly spread over the table. Returns how many.
    private static func add(
        _ a: TensorRecord, _ b: TensorRecord, factors: [Double], _ original: Checkpoint, _ protected: Checkpoint,
        _ gram: inout Matrix<Double>, _ cross: inout Matrix<Double>, _ threads: Int
    ) throws -> Int {
        let (count, d) = a.matrixShape
        let chosen = min(count, rowsPerChannel * d)
        for start in stride(from: 0, to: chosen, by: chunkRows) {
            let rows = (start..<min(start + chunkRows, chosen)).map { $0 * count / chosen }
            let before = read(rows, of: a, in: original, factors)
            let after = read(rows, of: b, in: protected, [])
            gram = try product(before, transposed: true, before, adding: gram, threads)
            cross = try product(after, transposed: true, before, adding: cross, threads)
        }
        return chosen
    }

    private static func read(
        _ rows: [Int], of tensor: TensorRecord, in checkpoint: Checkpoint, _ factors: [Double]
    ) -> Matrix<Double> {
        let d = tensor.matrixShape.columns
        let reader = WeightReader(checkpoint: checkpoint)
        let values = [Double](unsafeUninitializedCapacity: rows.count * d) { buffer, filled in
            if let base = buffer.baseAddress {
                for (place, row) in rows.enumerated() {
                    reader.values(tensor, row * d..<(row + 1) * d, into: base + place * d)
                    for i in factors.indices { base[place * d + i] *= factors[i] }
                    // Rows that lie far apart bring their neighbours along.
                    if (place + 1).isMultiple(of: releasedRows) { checkpoint.releasePages(of: tensor) }
                }
                checkpoint.releasePages(of: tensor)
            }
            filled = rows.count * d
        }
        return Matrix(rows: rows.count, columns: d, elements: values)
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
