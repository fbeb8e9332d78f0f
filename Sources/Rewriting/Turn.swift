import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Entry i of the result is `x[source[i]] · scale[i]`.
struct Shuffle<Real: TurnScalar>: Sendable {
    let source: [Int32]
    let scale: [Real]

    var count: Int { source.count }

    /// Every entry i of what is shuffled multiplied by factor i before; none where there are no factors.
    func behind(_ factors: [Real]) -> Shuffle {
        factors.isEmpty ? self : Shuffle(source: source, scale: zip(source, scale).map { factors[Int($0)] * $1 })
    }

    /// Every entry i of the result multiplied by factor i.
    func before(_ factors: [Real]) -> Shuffle {
        factors.isEmpty ? self : Shuffle(source: source, scale: zip(scale, factors).map(*))
    }

    func withRows(_ rows: Range<Int>, _ body: (UnsafePointer<Int32>, UnsafePointer<Real>) -> Void) {
        source[rows].withUnsafeBufferPointer { source in
            scale[rows].withUnsafeBufferPointer { scale in
                if let source = source.baseAddress, let scale = scale.baseAddress { body(source, scale) }
            }
        }
    }
}

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
    /// What comes before `mix` and behind it: whoever moves vectors there and back does it on the way.
    let first, last: Shuffle<Real>
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
        if factors.count == 1, case .dense(let only) = factors[0] { matrix = only } else { matrix = nil }
        let identity = Shuffle(
            source: (0..<dimension).map(Int32.init), scale: [Real](repeating: 1, count: dimension))
        func shuffle(_ factor: Factor?) -> Shuffle<Real>? {
            switch factor {
            case .monomial(let source, let scale): Shuffle(source: source, scale: scale)
            case .diagonal(let scale): Shuffle(source: identity.source, scale: scale)
            default: nil
            }
        }
        let (first, last) = (shuffle(factors.first), factors.count > 1 ? shuffle(factors.last) : nil)
        self.factors = Array(factors.dropFirst(first == nil ? 0 : 1).dropLast(last == nil ? 0 : 1))
        (self.first, self.last) = (first ?? identity, last ?? identity)
    }

    /// What lies between `first` and `last`; returns where the result lies, in one of the two buffers.
    func mix(
        _ x: UnsafeMutablePointer<Real>, _ vectors: Vectors, spare: UnsafeMutablePointer<Real>
    ) throws -> UnsafeMutablePointer<Real> {
        var (here, there) = (x, spare)
        for factor in factors {
            switch factor {
            case .diagonal(let scale):
                Real.multiply(here, scale, vectors)
                continue
            case .monomial(let source, let scale): Real.permute(there, UnsafePointer(here), source, scale, vectors)
            case .dense(let matrix): try Self.multiply(matrix, here, there, vectors, each: 1)
            case .hadamard(let order, let factor):
                switch vectors {
                case .rows(let count):
                    Real.hadamard(here, order: order, width: 1, blocks: count * dimension / order)
                case .across(let width): Real.hadamard(here, order: order, width: width, blocks: dimension / order)
                }
                guard let factor else { continue }
                try Self.multiply(factor, here, there, vectors, each: order)
            }
            swap(&here, &there)
        }
        return here
    }

    /// `there = matrix · here` on vectors whose n entries are runs of `length` values each.
    private static func multiply(
        _ matrix: Matrix<Real>, _ here: UnsafeMutablePointer<Real>, _ there: UnsafeMutablePointer<Real>,
        _ vectors: Vectors, each length: Int
    ) throws {
        let n = matrix.rows
        func view(_ pointer: UnsafeMutablePointer<Real>, _ rows: Int, _ columns: Int) -> MatrixView<Real> {
            MatrixView(pointer, rows: rows, columns: columns, rowStride: columns)
        }
        func target(_ pointer: UnsafeMutablePointer<Real>, _ rows: Int, _ columns: Int) -> MutableMatrixView<Real> {
            MutableMatrixView(pointer, rows: rows, columns: columns, rowStride: columns)
        }
        try matrix.withView { matrix in
            switch vectors {
            case .across(let width):
                try Products.multiply(matrix, by: view(here, n, length * width), into: target(there, n, length * width))
            case .rows(let count) where length == 1:
                try Products.multiply(
                    view(here, count, n), by: matrix, rightTransposed: true, into: target(there, count, n))
            case .rows(let count):
                for row in 0..<count {
                    let start = row * n * length
                    try Products.multiply(
                        matrix, by: view(here + start, n, length), into: target(there + start, n, length))
                }
            }
        }
    }
}
