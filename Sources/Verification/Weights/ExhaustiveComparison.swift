import Checkpoints
import Foundations
import LinearAlgebra

/// Compares every entry of `Lᵀ·R` of both models instead of probing it.
///
/// The error of entry (k, j) is held against `sqrt(Σ_i L'_ik² R'_ij²)`, what rounding does to it in roundoffs, times 2: of the many
/// more numbers that are looked at the largest lies further out.
struct ExhaustiveComparison<Real: ProbedScalar> {
    /// Lines of the left side at a time.
    private static var band: Int { 256 }

    let left: ProbedPart<Real>
    let right: ProbedPart<Real>
    let tolerance: Tolerance
    let scratch: WorkerScratch

    func run(_ worst: inout WorstError) throws {
        let n = left.channels
        let (leftSquares, rightSquares) = (squares(left, slot: 8), squares(right, slot: 9))
        let width = right.lines
        let change = scratch.buffer(10, of: Real.self, count: Self.band * width)
        let scale = scratch.buffer(11, of: Real.self, count: Self.band * width)
        let floor = Double(n).squareRoot() * tolerance.floor * tolerance.floor
        try left.forEachPiece { isRows, lines, line in
            for start in stride(from: 0, to: lines, by: Self.band) {
                let count = min(Self.band, lines - start)
                func product(
                    _ a: UnsafeMutablePointer<Real>, _ b: UnsafeMutablePointer<Real>, _ alpha: Real, _ beta: Real,
                    _ target: UnsafeMutablePointer<Real>
                ) throws {
                    let base = a + n * line
                    let view =
                        isRows
                        ? MatrixView(base + start, rows: n, columns: count, rowStride: lines)
                        : MatrixView(base + start * n, rows: count, columns: n, rowStride: n)
                    try right.forEachPiece { rightIsRows, rightLines, rightLine in
                        let (rows, columns) = rightIsRows ? (n, rightLines) : (rightLines, n)
                        try Products.multiply(
                            view, leftTransposed: isRows,
                            by: MatrixView(b + n * rightLine, rows: rows, columns: columns, rowStride: columns),
                            rightTransposed: !rightIsRows,
                            into: MutableMatrixView(
                                target + rightLine, rows: count, columns: rightLines, rowStride: width),
                            alpha: alpha, beta: beta)
                    }
                }
                try product(left.protected, right.protected, 1, 0, change)
                try product(left.original, right.original, -1, 1, change)
                try product(leftSquares, rightSquares, 1, 0, scale)
                for place in 0..<count * width where change[place] != 0 {
                    let size = 2 * (Double(scale[place]).squareRoot() + floor)
                    worst.include(
                        Tolerance.relative(Double(change[place].magnitude), to: size),
                        "\(left.views.place(ofLine: line + start + place / width)) with input \(place % width)")
                }
            }
        }
    }

    private func squares(_ part: ProbedPart<Real>, slot: Int) -> UnsafeMutablePointer<Real> {
        let count = part.channels * part.lines
        let squares = scratch.buffer(slot, of: Real.self, count: count)
        for place in 0..<count { squares[place] = part.protected[place] * part.protected[place] }
        return squares
    }
}
