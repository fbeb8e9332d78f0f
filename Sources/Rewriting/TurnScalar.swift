import CKernels
import LinearAlgebra

/// How vectors of a residual stream lie in memory.
enum Vectors {
    /// So many one behind the other.
    case rows(Int)
    /// So many side by side: value i of each, then value i + 1.
    case across(Int)
}

/// The arithmetic in which residual streams are turned.
protocol TurnScalar: RealScalar {
    /// Each of some blocks is `order` rows of `width` values, which become Hadamard's combinations of them, without its factor.
    static func hadamard(_ x: UnsafeMutablePointer<Self>, order: Int, width: Int, blocks: Int)
    /// `target[i] = source[index[i]] · scale[i]` of each vector.
    static func permute(
        _ target: UnsafeMutablePointer<Self>, _ source: UnsafePointer<Self>, _ index: [Int32], _ scale: [Self],
        _ vectors: Vectors)
    /// `x[i] · factors[i]` of each vector.
    static func multiply(_ x: UnsafeMutablePointer<Self>, _ factors: [Self], _ vectors: Vectors)
}

extension Float: TurnScalar {
    static func hadamard(_ x: UnsafeMutablePointer<Float>, order: Int, width: Int, blocks: Int) {
        mp_hadamard_f32(x, order, width, blocks)
    }
    static func permute(
        _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ index: [Int32], _ scale: [Float],
        _ vectors: Vectors
    ) {
        switch vectors {
        case .rows(let count): mp_permute_f32(target, source, index, scale, index.count, count)
        case .across(let width): mp_permute_across_f32(target, source, index, scale, index.count, width)
        }
    }
    static func multiply(_ x: UnsafeMutablePointer<Float>, _ factors: [Float], _ vectors: Vectors) {
        switch vectors {
        case .rows(let count): mp_multiply_rows_f32(x, factors, factors.count, count)
        case .across(let width): mp_multiply_across_f32(x, factors, factors.count, width)
        }
    }
}

extension Double: TurnScalar {
    static func hadamard(_ x: UnsafeMutablePointer<Double>, order: Int, width: Int, blocks: Int) {
        mp_hadamard_f64(x, order, width, blocks)
    }
    static func permute(
        _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, _ index: [Int32], _ scale: [Double],
        _ vectors: Vectors
    ) {
        switch vectors {
        case .rows(let count): mp_permute_f64(target, source, index, scale, index.count, count)
        case .across(let width): mp_permute_across_f64(target, source, index, scale, index.count, width)
        }
    }
    static func multiply(_ x: UnsafeMutablePointer<Double>, _ factors: [Double], _ vectors: Vectors) {
        switch vectors {
        case .rows(let count): mp_multiply_rows_f64(x, factors, factors.count, count)
        case .across(let width): mp_multiply_across_f64(x, factors, factors.count, width)
        }
    }
}
