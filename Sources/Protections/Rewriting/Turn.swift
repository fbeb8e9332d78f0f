import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// A rotation of a residual stream in the arithmetic of the weights, ready to be applied.
final class Turn<Real: TurnScalar>: Sendable {
    private enum Factor {
        case monomial(source: [Int32], scale: [Real])
        case diagonal([Real])
        case hadamard(order: Int, Matrix<Real>?)
        case dense(Matrix<Real>)
    }

    let dimension: Int
    /// R, where it is kept as one matrix.
    let matrix: Matrix<Real>?
    private let factors: [Factor]

    init(_ rotation: Rotation) {
        dimension = rotation.dimension
        var factors: [Factor] = []
        // What a Hadamard matrix lacks to be orthogonal goes into the scales of the next signs.
        var pending = 1.0
        for factor in rotation.factors {
            switch factor {
            case .monomial(let monomial):
                let scale = monomial.scale.map { Real($0 * pending) }
                let isDiagonal = monomial.source == Array(0..<dimension)
                factors.append(
                    isDiagonal
                        ? .diagonal(scale) : .monomial(source: monomial.source.map(Int32.init), scale: scale))
                pending = 1
            case .hadamard(let order, let factor):
                factors.append(.hadamard(order: order, factor.map { Matrix<Real>(rounding: $0) }))
                pending /= Double(order).squareRoot()
            case .dense(let matrix): factors.append(.dense(Matrix<Real>(rounding: matrix)))
            }
        }
        if pending != 1 {
            factors.append(.diagonal([Real](repeating: Real(pending), count: dimension)))
        }
        self.factors = factors
        if factors.count == 1, case .dense(let only) = factors[0] { matrix = only } else { matrix = nil }
    }

    /// Turns `count` vectors that lie one behind the other; returns where the result lies, in one of the two buffers.
    func turn(
        vectors x: UnsafeMutablePointer<Real>, count: Int, spare: UnsafeMutablePointer<Real>
    ) throws -> UnsafeMutablePointer<Real> {
        let d = dimension
        var (here, there) = (x, spare)
        for factor in factors {
            switch factor {
            case .monomial(let source, let scale):
                for row in 0..<count { Real.permute(there + row * d, UnsafePointer(here + row * d), source, scale) }
                swap(&here, &there)
            case .diagonal(let scale):
                for row in 0..<count { Real.multiply(here + row * d, scale) }
            case .dense(let matrix):
                try matrix.withView { right in
                    try Products.multiply(
                        MatrixView(here, rows: count, columns: d, rowStride: d), by: right, rightTransposed: true,
                        into: MutableMatrixView(there, rows: count, columns: d, rowStride: d))
                }
                swap(&here, &there)
            case .hadamard(let order, let factor):
                let m = d / order
                for run in 0..<count * m { Real.hadamard(here + run * order, order: order, width: 1) }
                guard let factor else { continue }
                for row in 0..<count {
                    try Self.multiply(factor, here + row * d, there + row * d, m, order)
                }
                swap(&here, &there)
            }
        }
        return here
    }

    /// The same of `width` vectors that lie side by side: `d` rows of `width` values.
    func turn(
        columns x: UnsafeMutablePointer<Real>, width: Int, spare: UnsafeMutablePointer<Real>
    ) throws -> UnsafeMutablePointer<Real> {
        let d = dimension
        var (here, there) = (x, spare)
        for factor in factors {
            switch factor {
            case .monomial(let source, let scale):
                for i in 0..<d {
                    Real.scaled(there + i * width, UnsafePointer(here + Int(source[i]) * width), width, scale[i])
                }
                swap(&here, &there)
            case .diagonal(let scale):
                for i in 0..<d { Real.scaled(here + i * width, here + i * width, width, scale[i]) }
            case .dense(let matrix):
                try Self.multiply(matrix, here, there, d, width)
                swap(&here, &there)
            case .hadamard(let order, let factor):
                let m = d / order
                for q in 0..<m { Real.hadamard(here + q * order * width, order: order, width: width) }
                guard let factor else { continue }
                try Self.multiply(factor, here, there, m, order * width)
                swap(&here, &there)
            }
        }
        return here
    }

    /// `there = matrix · here`, n rows of `width` values each.
    private static func multiply(
        _ matrix: Matrix<Real>, _ here: UnsafeMutablePointer<Real>, _ there: UnsafeMutablePointer<Real>, _ n: Int,
        _ width: Int
    ) throws {
        try matrix.withView { left in
            try Products.multiply(
                left, by: MatrixView(here, rows: n, columns: width, rowStride: width),
                into: MutableMatrixView(there, rows: n, columns: width, rowStride: width))
        }
    }
}
