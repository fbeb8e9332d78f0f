import Foundations
import LinearAlgebra
import Synchronization

/// A row-major matrix in memory that several threads fill, each its own entries.
final class SharedMatrix<Scalar: RealScalar>: @unchecked Sendable {
    let rows, columns: Int
    let values: UnsafeMutablePointer<Scalar>

    /// Of zeros.
    init(rows: Int, columns: Int) {
        (self.rows, self.columns) = (rows, columns)
        values = .allocate(capacity: max(rows * columns, 1))
        values.initialize(repeating: 0, count: max(rows * columns, 1))
    }

    deinit { values.deallocate() }

    func row(_ row: Int) -> UnsafeMutablePointer<Scalar> { values + row * columns }

    /// The same in f64, some rows of it.
    func widened(_ rows: Range<Int>, _ columns: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        for (place, number) in rows.enumerated() {
            let (source, line) = (row(number) + columns.lowerBound, target + place * columns.count)
            for column in 0..<columns.count { line[column] = Double(source[column]) }
        }
    }

    /// Writes a matrix of as many rows, from some column on.
    func write(_ matrix: Matrix<Scalar>, from column: Int) {
        matrix.elements.withUnsafeBufferPointer { elements in
            for row in 0..<min(rows, matrix.rows) {
                for place in 0..<matrix.columns {
                    self.row(row)[column + place] = elements[row * matrix.columns + place]
                }
            }
        }
    }

    /// A copy in f64.
    var matrix: Matrix<Double> {
        Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map { Double(values[$0]) })
    }
}

/// Products of large matrices by several threads, summed in f64: tiles follow from shapes alone, and each runs on one core, so that bits do not
/// depend on how many there are.
struct MatrixWork: Sendable {
    /// Rows that are summed over at once, and rows of a result that one product makes.
    private static let (depth, height) = (256, 64)
    /// Matrices of more values are taken one tensor after the other, so that memory holds those of one tensor at most.
    private static let large = 1 << 22
    private static let turn = Mutex(())

    let threads: Int

    /// OpenBLAS's own threads would add up in another order, and run beside ours.
    init(threads: Int) {
        self.threads = threads
        BLASThreads.use(1)
    }

    static func inTurn<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
        guard count > large else { return try body() }
        return try turn.withLock { _ in try body() }
    }

    /// Aᵀ·B.
    func inner(_ a: SharedMatrix<Float>, _ b: SharedMatrix<Float>) throws -> Matrix<Double> {
        let result = SharedMatrix<Double>(rows: a.columns, columns: b.columns)
        let isGram = a === b
        try forTiles(of: a.columns) { rows, scratch in
            let columns = (isGram ? rows.lowerBound : 0)..<b.columns
            for start in stride(from: 0, to: a.rows, by: Self.depth) {
                let part = start..<min(start + Self.depth, a.rows)
                let x = scratch.buffer(0, of: Double.self, count: part.count * rows.count)
                let y = scratch.buffer(1, of: Double.self, count: part.count * columns.count)
                a.widened(part, rows, into: x)
                b.widened(part, columns, into: y)
                try Products.multiply(
                    MatrixView(x, rows: part.count, columns: rows.count, rowStride: rows.count), leftTransposed: true,
                    by: MatrixView(y, rows: part.count, columns: columns.count, rowStride: columns.count),
                    into: MutableMatrixView(
                        result.row(rows.lowerBound) + columns.lowerBound, rows: rows.count, columns: columns.count,
                        rowStride: result.columns), beta: 1)
            }
        }
        return result.matrix
    }

    /// The upper triangle of Aᵀ·A; what is left of the diagonal is not all there.
    func gram(_ a: SharedMatrix<Float>) throws -> Matrix<Double> { try inner(a, a) }

    /// A·B, or A·Bᵀ where B is to be transposed, rounded once.
    ///
    /// - Parameter use: takes each row of the result, from any thread.
    private func rows(
        of a: SharedMatrix<Float>, by b: Matrix<Double>, rightTransposed: Bool,
        _ use: @escaping @Sendable (Int, UnsafePointer<Double>) -> Void
    ) throws {
        let count = rightTransposed ? b.rows : b.columns
        try forTiles(of: a.rows) { rows, scratch in
            let x = scratch.buffer(0, of: Double.self, count: rows.count * a.columns)
            let y = scratch.buffer(1, of: Double.self, count: rows.count * count)
            a.widened(rows, 0..<a.columns, into: x)
            y.update(repeating: 0, count: rows.count * count)
            try b.withView { b in
                try Products.multiply(
                    MatrixView(x, rows: rows.count, columns: a.columns, rowStride: a.columns), by: b,
                    rightTransposed: rightTransposed,
                    into: MutableMatrixView(y, rows: rows.count, columns: count, rowStride: count))
            }
            for (place, row) in rows.enumerated() { use(row, UnsafePointer(y + place * count)) }
        }
    }

    /// The product A·B or A·Bᵀ; or its transpose.
    func product(
        _ a: SharedMatrix<Float>, _ b: Matrix<Double>, rightTransposed: Bool = false, transposing: Bool = false
    ) throws -> SharedMatrix<Float> {
        let count = rightTransposed ? b.rows : b.columns
        let result =
            transposing
            ? SharedMatrix<Float>(rows: count, columns: a.rows) : SharedMatrix<Float>(rows: a.rows, columns: count)
        try rows(of: a, by: b, rightTransposed: rightTransposed) { row, values in
            for column in 0..<count {
                result.values[transposing ? column * result.columns + row : row * count + column] = Float(
                    values[column])
            }
        }
        return result
    }

    /// Writes A·B, from some column on, into a matrix of as many rows.
    func write(
        _ a: SharedMatrix<Float>, times b: Matrix<Double>, into target: SharedMatrix<Float>, from column: Int
    ) throws {
        try rows(of: a, by: b, rightTransposed: false) { row, values in
            for place in 0..<b.columns { target.row(row)[column + place] = Float(values[place]) }
        }
    }

    /// Takes A·B off a matrix.
    func subtract(_ a: SharedMatrix<Float>, times b: Matrix<Double>, from target: SharedMatrix<Float>) throws {
        try rows(of: a, by: b, rightTransposed: false) { row, values in
            let line = target.row(row)
            for place in 0..<b.columns { line[place] = Float(Double(line[place]) - values[place]) }
        }
    }

    private func forTiles(
        of count: Int, _ body: @escaping @Sendable (Range<Int>, WorkerScratch) throws -> Void
    ) throws {
        try WorkerThreads.forEach((count + Self.height - 1) / Self.height, threads: threads) { tile, scratch in
            try body(tile * Self.height..<min((tile + 1) * Self.height, count), scratch)
        }
    }
}
