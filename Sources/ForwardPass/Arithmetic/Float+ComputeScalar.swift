import CKernels
import Checkpoints
import LinearAlgebra

extension Float: ComputeScalar {
    package static func widen(
        _ target: UnsafeMutablePointer<Self>, _ source: UnsafeRawPointer, _ type: ElementType, _ count: Int
    ) { type.widen(source, into: target, count) }

    package static func jitter(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ type: ElementType, seed: UInt64) {
        guard let roundoff = type.unitRoundoff, let smallest = type.leastNormalMagnitude else { return }
        mp_jitter_f32(x, count, seed, Float(2 * roundoff), Float(smallest))
    }

    package static func silu(_ x: UnsafeMutablePointer<Self>, _ count: Int) { mp_silu_f32(x, count) }

    package static func sigmoid(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ alpha: Self) {
        mp_sigmoid_f32(x, count, alpha)
    }

    package static func quickGelu(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ alpha: Self) {
        mp_quick_gelu_f32(x, count, alpha)
    }

    package static func gelu(_ x: UnsafeMutablePointer<Self>, _ count: Int) { mp_gelu_f32(x, count) }

    package static func geluTanh(_ x: UnsafeMutablePointer<Self>, _ count: Int) { mp_gelu_tanh_f32(x, count) }

    package static func hyperbolicTangent(_ x: UnsafeMutablePointer<Self>, _ count: Int) { mp_tanh_f32(x, count) }

    package static func multiply(_ x: UnsafeMutablePointer<Self>, by y: UnsafePointer<Self>, _ count: Int) {
        mp_multiply_f32(x, y, count)
    }

    package static func add(_ x: UnsafeMutablePointer<Self>, _ y: UnsafePointer<Self>, _ count: Int, _ alpha: Self) {
        mp_add_f32(x, y, count, alpha)
    }

    package static func softmax(_ x: UnsafeMutablePointer<Self>, _ count: Int, sink: UnsafePointer<Self>?) {
        mp_softmax_f32(x, count, sink)
    }

    package static func sum(_ x: UnsafePointer<Self>, _ count: Int) -> Self { mp_sum_f32(x, count) }

    package static func sumOfSquares(_ x: UnsafePointer<Self>, _ count: Int, mean: Self) -> Self {
        mp_sum_of_squares_f32(x, count, mean)
    }

    package static func normalize(
        _ target: UnsafeMutablePointer<Self>, _ x: UnsafePointer<Self>, _ count: Int, mean: Self, scale: Self,
        gain: UnsafePointer<Self>?, bias: UnsafePointer<Self>?
    ) { mp_normalize_f32(target, x, count, mean, scale, gain, bias) }

    package static func turnPairs(
        _ a: UnsafeMutablePointer<Self>, _ b: UnsafeMutablePointer<Self>, stride: Int, _ count: Int,
        cosine: UnsafePointer<Self>, sine: UnsafePointer<Self>
    ) { mp_turn_pairs_f32(a, b, stride, count, cosine, sine) }
}
