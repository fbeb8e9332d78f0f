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
    private static let rowsPerChannel = 8
    /// Below this the tables tell too little of some direction.
    private static let ridge = 1e-10

    let site: Site
    /// Places in `Architecture.stacks`.
    let stacks: [Int]
    /// R; nil where the tables tell of no orthogonal one.
    let matrix: Matrix<Double>?
    /// What the tables' rounding leaves unknown of R·g for a random g, in roundoffs.
    let blur: Double

    /// - Parameter head: what reads the stream into scores beside its tables, where that is no table.
    init(
        _ site: Site, stacks: [Int], tables: Set<String>, head: String?, _ original: Checkpoint,
        _ protected: Checkpoint
    ) throws {
        (self.site, self.stacks) = (site, stacks)
        let d = site.group.dimension
        var (gram, cross) = (
            Matrix<Double>(rows: d, columns: d, repeating: 0), Matrix<Double>(rows: d, columns: d, repeating: 0)
        )
        var (rows, known) = (0, false)
        for slice in site.slices where slice.axis == 1 && (tables.contains(slice.tensor) || slice.tensor == head) {
            guard let a = original.tensors[slice.tensor], let b = protected.tensors[slice.tensor], a.shape == b.shape,
                a.type == b.type, a.matrixShape.columns == d, slice.start == 0
            else { continue }
            known = true
            rows += try Self.add(
                a, b, factors: StreamReader.gain(slice.gain, in: original), original, protected, &gram, &cross)
        }
        let power = (0..<d).reduce(0.0) { $0 + gram[$1, $1] } / Double(max(d, 1))
        for i in 0..<d { gram[i, i] += Self.ridge * power }
        guard known, power > 0, power.isFinite, let inverse = try? gram.inverse() else {
            (matrix, blur) = (nil, .infinity)
            return
        }
        matrix = try Self.orthogonal(nearest: cross * inverse)
        let spread = (0..<d).reduce(0.0) { $0 + inverse[$1, $1] } * power / Double(max(rows, 1))
        blur = spread.squareRoot()
    }

    /// Adds EᵀE and E'ᵀE of some rows, evenly spread over the table. Returns how many.
    private static func add(
        _ a: TensorRecord, _ b: TensorRecord, factors: [Double], _ original: Checkpoint, _ protected: Checkpoint,
        _ gram: inout Matrix<Double>, _ cross: inout Matrix<Double>
    ) throws -> Int {
        let (count, d) = a.matrixShape
        let chosen = min(count, rowsPerChannel * d)
        let (x, y) = (WeightReader(checkpoint: original), WeightReader(checkpoint: protected))
        let size = 256
        var (before, after) = ([Double](repeating: 0, count: size * d), [Double](repeating: 0, count: size * d))
        for start in stride(from: 0, to: chosen, by: size) {
            let end = min(start + size, chosen)
            try before.withUnsafeMutableBufferPointer { before in
                try after.withUnsafeMutableBufferPointer { after in
                    guard let e = before.baseAddress, let f = after.baseAddress else { return }
                    for number in start..<end {
                        let row = number * count / chosen
                        let (p, q) = (e + (number - start) * d, f + (number - start) * d)
                        x.values(a, row * d..<(row + 1) * d, into: p)
                        y.values(b, row * d..<(row + 1) * d, into: q)
                        for i in factors.indices { p[i] *= factors[i] }
                    }
                    let left = MatrixView(UnsafePointer(e), rows: end - start, columns: d, rowStride: d)
                    let right = MatrixView(UnsafePointer(f), rows: end - start, columns: d, rowStride: d)
                    try gram.withMutableView {
                        try Products.multiply(left, leftTransposed: true, by: left, into: $0, beta: 1)
                    }
                    try cross.withMutableView {
                        try Products.multiply(right, leftTransposed: true, by: left, into: $0, beta: 1)
                    }
                }
            }
        }
        original.releasePages(of: a)
        protected.releasePages(of: b)
        return chosen
    }

    /// The orthogonal factor of a polar decomposition, by `X ← X·(3 - XᵀX)/2`; nil where that leads nowhere, as X has a direction of
    /// size zero, or one of size √3 or more.
    private static func orthogonal(nearest start: Matrix<Double>) throws -> Matrix<Double>? {
        var x = start
        let d = x.rows
        for _ in 0..<60 {
            var step = Matrix<Double>(rows: d, columns: d, repeating: 0)
            try x.withView { view in
                try step.withMutableView { try Products.multiply(view, leftTransposed: true, by: view, into: $0) }
            }
            var error = 0.0
            for i in 0..<d {
                for j in 0..<d {
                    let value = step[i, j] - (i == j ? 1 : 0)
                    error += value * value
                    step[i, j] = -0.5 * value + (i == j ? 1 : 0)
                }
            }
            guard error.isFinite else { return nil }
            if error < 1e-24 * Double(d) { return x }
            x = x * step
        }
        return nil
    }
}
