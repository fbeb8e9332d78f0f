import CKernels
import LinearAlgebra

/// The arithmetic in which residual streams are turned.
protocol TurnScalar: RealScalar {
    /// `order` rows of `width` values become Hadamard's combinations of them, without its factor.
    static func hadamard(_ x: UnsafeMutablePointer<Self>, order: Int, width: Int)
    /// `target[i] = source[index[i]] · scale[i]`.
    static func permute(
        _ target: UnsafeMutablePointer<Self>, _ source: UnsafePointer<Self>, _ index: [Int32], _ scale: [Self])
    static func multiply(_ x: UnsafeMutablePointer<Self>, _ factors: [Self])
    /// `target = factor · source`.
    static func scaled(
        _ target: UnsafeMutablePointer<Self>, _ source: UnsafePointer<Self>, _ count: Int, _ factor: Self)
}

extension Float: TurnScalar {
    static func hadamard(_ x: UnsafeMutablePointer<Float>, order: Int, width: Int) { mp_hadamard_f32(x, order, width) }
    static func permute(
        _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ index: [Int32], _ scale: [Float]
    ) { mp_permute_f32(target, source, index, scale, index.count) }
    static func multiply(_ x: UnsafeMutablePointer<Float>, _ factors: [Float]) {
        mp_multiply_f32(x, factors, factors.count)
    }
    static func scaled(
        _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ count: Int, _ factor: Float
    ) { mp_scaled_f32(target, source, count, factor) }
}

extension Double: TurnScalar {
    static func hadamard(_ x: UnsafeMutablePointer<Double>, order: Int, width: Int) { mp_hadamard_f64(x, order, width) }
    static func permute(
        _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, _ index: [Int32], _ scale: [Double]
    ) { mp_permute_f64(target, source, index, scale, index.count) }
    static func multiply(_ x: UnsafeMutablePointer<Double>, _ factors: [Double]) {
        mp_multiply_f64(x, factors, factors.count)
    }
    static func scaled(
        _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, _ count: Int, _ factor: Double
    ) { mp_scaled_f64(target, source, count, factor) }
}
