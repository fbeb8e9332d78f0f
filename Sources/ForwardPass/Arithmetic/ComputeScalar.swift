import CKernels
import Checkpoints
import LinearAlgebra

/// What a forward pass computes in: f32 or f64, with the pointwise kernels of each.
package protocol ComputeScalar: RealScalar {
    /// Widens stored weights, exactly; f64 weights are rounded to f32 in an f32 pass.
    static func widen(
        _ target: UnsafeMutablePointer<Self>, _ source: UnsafeRawPointer, _ type: ElementType, _ count: Int)
    /// Adds uniform noise of half an ulp to either side, of weights stored in `type`.
    static func jitter(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ type: ElementType, seed: UInt64)
    static func silu(_ x: UnsafeMutablePointer<Self>, _ count: Int)
    static func sigmoid(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ alpha: Self)
    /// x·σ(αx).
    static func quickGelu(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ alpha: Self)
    static func gelu(_ x: UnsafeMutablePointer<Self>, _ count: Int)
    static func geluTanh(_ x: UnsafeMutablePointer<Self>, _ count: Int)
    static func hyperbolicTangent(_ x: UnsafeMutablePointer<Self>, _ count: Int)
    static func multiply(_ x: UnsafeMutablePointer<Self>, by y: UnsafePointer<Self>, _ count: Int)
    /// x + αy.
    static func add(_ x: UnsafeMutablePointer<Self>, _ y: UnsafePointer<Self>, _ count: Int, _ alpha: Self)
    /// Softmax in place; a sink is one further logit that takes part in the sum alone.
    static func softmax(_ x: UnsafeMutablePointer<Self>, _ count: Int, sink: UnsafePointer<Self>?)
    static func sum(_ x: UnsafePointer<Self>, _ count: Int) -> Self
    static func sumOfSquares(_ x: UnsafePointer<Self>, _ count: Int, mean: Self) -> Self
    /// (x - mean)·scale·gain + bias.
    static func normalize(
        _ target: UnsafeMutablePointer<Self>, _ x: UnsafePointer<Self>, _ count: Int, mean: Self, scale: Self,
        gain: UnsafePointer<Self>?, bias: UnsafePointer<Self>?)
    /// Turns the pairs (a[i·stride], b[i·stride]).
    static func turnPairs(
        _ a: UnsafeMutablePointer<Self>, _ b: UnsafeMutablePointer<Self>, stride: Int, _ count: Int,
        cosine: UnsafePointer<Self>, sine: UnsafePointer<Self>)
}
