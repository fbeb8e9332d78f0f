import Glibc
import LinearAlgebra

/// A matrix of activations, one row per position, in memory that threads fill side by side.
package final class States<Real: ComputeScalar>: @unchecked Sendable {
    let rows: Int
    let columns: Int
    let base: UnsafeMutablePointer<Real>

    /// Unspecified content.
    init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        base = .allocate(capacity: max(rows * columns, 1))
    }

    convenience init(_ other: States) {
        self.init(rows: other.rows, columns: other.columns)
        base.update(from: other.base, count: rows * columns)
    }

    convenience init(zeros rows: Int, _ columns: Int) {
        self.init(rows: rows, columns: columns)
        base.update(repeating: 0, count: rows * columns)
    }

    /// One below the other; all of the same width.
    convenience init(stacking parts: [States]) {
        self.init(rows: parts.reduce(0) { $0 + $1.rows }, columns: parts.first?.columns ?? 0)
        var start = 0
        for part in parts {
            row(start).update(from: part.base, count: part.count)
            start += part.rows
        }
    }

    deinit { base.deallocate() }

    var count: Int { rows * columns }

    func row(_ i: Int) -> UnsafeMutablePointer<Real> { base + i * columns }

    var view: MatrixView<Real> { MatrixView(base, rows: rows, columns: columns, rowStride: columns) }

    func window(rows r: Range<Int>, columns c: Range<Int>) -> MatrixView<Real> { view.window(rows: r, columns: c) }

    func mutableWindow(rows r: Range<Int>, columns c: Range<Int>) -> MutableMatrixView<Real> {
        precondition(r.upperBound <= rows && c.upperBound <= columns)
        return MutableMatrixView(row(r.lowerBound) + c.lowerBound, rows: r.count, columns: c.count, rowStride: columns)
    }

    /// Some rows, in the order given.
    func gathered(_ indices: [Int]) -> States {
        let result = States(rows: indices.count, columns: columns)
        for (target, source) in indices.enumerated() { result.row(target).update(from: row(source), count: columns) }
        return result
    }

    /// Some columns.
    func columns(from start: Int, count: Int, stride: Int = 1) -> States {
        let result = States(rows: rows, columns: count)
        for i in 0..<rows {
            let (target, source) = (result.row(i), row(i) + start)
            if stride == 1 {
                target.update(from: source, count: count)
            } else {
                for j in 0..<count { target[j] = source[j * stride] }
            }
        }
        return result
    }

    func add(_ other: States, _ alpha: Real = 1) { Real.add(base, other.base, count, alpha) }

    func scale(_ factor: Real) {
        guard factor != 1 else { return }
        for i in 0..<count { base[i] *= factor }
    }

    package var isFinite: Bool {
        @_specialize(where Real == Float)
        @_specialize(where Real == Double)
        get { (0..<count).allSatisfy { base[$0].isFinite } }
    }

    /// Bit for bit.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func isIdentical(to other: States) -> Bool {
        rows == other.rows && columns == other.columns
            && memcmp(base, other.base, count * MemoryLayout<Real>.stride) == 0
    }

    /// ‖b - a‖ / ‖a‖ of another's b, infinite where b is not finite.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func distance(to other: States) -> Double {
        guard rows == other.rows, columns == other.columns else { return .infinity }
        var sum = RelativeDistance()
        for i in 0..<count { sum.add(Double(base[i]), Double(other.base[i])) }
        return sum.value
    }

    var matrix: Matrix<Real> {
        Matrix(rows: rows, columns: columns, elements: Array(UnsafeBufferPointer(start: base, count: count)))
    }
}
