import CKernels
import LinearAlgebra

/// How weights of one element type are widened, acted on and rounded back.
///
/// 16-bit weights are computed in f32, whose error lies far below theirs; 32- and 64-bit weights in f64.
protocol WeightStorage {
    associatedtype Stored: BitwiseCopyable
    associatedtype Real: TurnScalar
    /// Values of the arithmetic's own type, between two steps.
    associatedtype Wide: WeightStorage where Wide.Stored == Real, Wide.Real == Real
    associatedtype Scale: BinaryFloatingPoint & BitwiseCopyable & Sendable

    static func widen(_ target: UnsafeMutablePointer<Real>, _ source: UnsafePointer<Stored>, _ count: Int)
    static func narrow(_ target: UnsafeMutablePointer<Stored>, _ source: UnsafePointer<Real>, _ count: Int)
    static func rotate(
        _ outRe: UnsafeMutablePointer<Real>, _ outIm: UnsafeMutablePointer<Real>, _ re: UnsafePointer<Real>,
        _ im: UnsafePointer<Real>, _ count: Int, _ x: Double, _ y: Double)
    /// Exact scaling by ± a power of two; returns how many values lost bits.
    static func scale(
        _ target: UnsafeMutablePointer<Stored>, _ source: UnsafePointer<Stored>, _ count: Int, _ scale: Double
    ) -> Int
    /// `target[i] = source[index[i]] · scale[i]`; returns as `scale` does.
    static func gather(
        _ target: UnsafeMutablePointer<Stored>, _ source: UnsafePointer<Stored>, _ index: UnsafePointer<Int32>,
        _ scale: UnsafePointer<Scale>, _ count: Int
    ) -> Int
    /// What `take` and its kin run.
    static var shuffles: ShuffleKernels<Stored, Real> { get }
}

/// The kernels that permute, scale and convert.
struct ShuffleKernels<Stored, Real> {
    typealias Values<T> = UnsafePointer<T>
    typealias Target<T> = UnsafeMutablePointer<T>

    let take: (Target<Real>, Values<Stored>, Values<Int32>, Values<Real>, Int) -> Void
    let put: (Target<Stored>, Values<Real>, Values<Int32>, Values<Real>, Int) -> Void
    let takeRows: (Target<Real>, Values<Stored>, Int, Values<Int32>, Values<Real>, Int, Int) -> Void
    let putRows: (Target<Stored>, Int, Values<Real>, Values<Int32>, Values<Real>, Int, Int) -> Void
}

extension WeightStorage {
    /// `target[i] = source[shuffle.source[i]] · shuffle.scale[i]`.
    static func take(_ target: UnsafeMutablePointer<Real>, _ source: UnsafePointer<Stored>, _ shuffle: Shuffle<Real>) {
        shuffles.take(target, source, shuffle.source, shuffle.scale, shuffle.count)
    }

    static func put(_ target: UnsafeMutablePointer<Stored>, _ source: UnsafePointer<Real>, _ shuffle: Shuffle<Real>) {
        shuffles.put(target, source, shuffle.source, shuffle.scale, shuffle.count)
    }

    /// The same of runs of `width` values: those that are stored lie `stride` apart, the others side by side.
    static func takeRows(
        _ target: UnsafeMutablePointer<Real>, _ source: UnsafePointer<Stored>, stride: Int, width: Int,
        _ shuffle: Shuffle<Real>
    ) { shuffles.takeRows(target, source, stride, shuffle.source, shuffle.scale, shuffle.count, width) }

    /// - Parameter rows: which of the shuffle's results are wanted.
    static func putRows(
        _ target: UnsafeMutablePointer<Stored>, stride: Int, _ source: UnsafePointer<Real>, width: Int,
        _ shuffle: Shuffle<Real>, _ rows: Range<Int>
    ) { shuffle.withRows(rows) { shuffles.putRows(target, stride, source, $0, $1, rows.count, width) } }
}

extension WeightStorage where Real == Float {
    static func rotate(
        _ outRe: UnsafeMutablePointer<Float>, _ outIm: UnsafeMutablePointer<Float>, _ re: UnsafePointer<Float>,
        _ im: UnsafePointer<Float>, _ count: Int, _ x: Double, _ y: Double
    ) { mp_rotate_f32(outRe, outIm, re, im, count, Float(x), Float(y)) }
}

extension WeightStorage where Real == Double {
    static func rotate(
        _ outRe: UnsafeMutablePointer<Double>, _ outIm: UnsafeMutablePointer<Double>, _ re: UnsafePointer<Double>,
        _ im: UnsafePointer<Double>, _ count: Int, _ x: Double, _ y: Double
    ) { mp_rotate_f64(outRe, outIm, re, im, count, x, y) }
}

extension WeightStorage where Stored == Real {
    static func widen(_ target: UnsafeMutablePointer<Real>, _ source: UnsafePointer<Real>, _ count: Int) {
        target.update(from: source, count: count)
    }

    static func narrow(_ target: UnsafeMutablePointer<Real>, _ source: UnsafePointer<Real>, _ count: Int) {
        target.update(from: source, count: count)
    }
}

extension WeightStorage where Stored == Float, Scale == Float {
    static func scale(
        _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ count: Int, _ scale: Double
    ) -> Int { mp_scale_f32(target, source, count, Float(scale)) }

    static func gather(
        _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ index: UnsafePointer<Int32>,
        _ scale: UnsafePointer<Float>, _ count: Int
    ) -> Int { mp_gather_f32(target, source, index, scale, count) }
}

enum BF16Storage: WeightStorage {
    typealias Wide = WideFloat

    static func widen(_ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<UInt16>, _ count: Int) {
        mp_bf16_to_f32(target, source, count)
    }

    static func narrow(_ target: UnsafeMutablePointer<UInt16>, _ source: UnsafePointer<Float>, _ count: Int) {
        mp_f32_to_bf16(target, source, count)
    }

    static func scale(
        _ target: UnsafeMutablePointer<UInt16>, _ source: UnsafePointer<UInt16>, _ count: Int, _ scale: Double
    ) -> Int { mp_scale_bf16(target, source, count, Float(scale)) }

    static func gather(
        _ target: UnsafeMutablePointer<UInt16>, _ source: UnsafePointer<UInt16>, _ index: UnsafePointer<Int32>,
        _ scale: UnsafePointer<Float>, _ count: Int
    ) -> Int { mp_gather_bf16(target, source, index, scale, count) }

    static var shuffles: ShuffleKernels<UInt16, Float> {
        ShuffleKernels(take: mp_take_bf16, put: mp_put_bf16, takeRows: mp_take_rows_bf16, putRows: mp_put_rows_bf16)
    }
}

enum F16Storage: WeightStorage {
    typealias Wide = WideFloat

    static func widen(_ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<UInt16>, _ count: Int) {
        mp_f16_to_f32(target, source, count)
    }

    static func narrow(_ target: UnsafeMutablePointer<UInt16>, _ source: UnsafePointer<Float>, _ count: Int) {
        mp_f32_to_f16(target, source, count)
    }

    static func scale(
        _ target: UnsafeMutablePointer<UInt16>, _ source: UnsafePointer<UInt16>, _ count: Int, _ scale: Double
    ) -> Int { mp_scale_f16(target, source, count, Float(scale)) }

    static func gather(
        _ target: UnsafeMutablePointer<UInt16>, _ source: UnsafePointer<UInt16>, _ index: UnsafePointer<Int32>,
        _ scale: UnsafePointer<Float>, _ count: Int
    ) -> Int { mp_gather_f16(target, source, index, scale, count) }

    static var shuffles: ShuffleKernels<UInt16, Float> {
        ShuffleKernels(take: mp_take_f16, put: mp_put_f16, takeRows: mp_take_rows_f16, putRows: mp_put_rows_f16)
    }
}

enum F32Storage: WeightStorage {
    typealias Stored = Float
    typealias Real = Double
    typealias Scale = Float
    typealias Wide = F64Storage

    static func widen(_ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Float>, _ count: Int) {
        mp_f32_to_f64(target, source, count)
    }

    static func narrow(_ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Double>, _ count: Int) {
        mp_f64_to_f32(target, source, count)
    }

    static var shuffles: ShuffleKernels<Float, Double> {
        ShuffleKernels(take: mp_take_f32, put: mp_put_f32, takeRows: mp_take_rows_f32, putRows: mp_put_rows_f32)
    }
}

enum F64Storage: WeightStorage {
    typealias Stored = Double
    typealias Real = Double
    typealias Scale = Double
    typealias Wide = F64Storage

    static func scale(
        _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, _ count: Int, _ scale: Double
    ) -> Int { mp_scale_f64(target, source, count, scale) }

    static func gather(
        _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, _ index: UnsafePointer<Int32>,
        _ scale: UnsafePointer<Double>, _ count: Int
    ) -> Int { mp_gather_f64(target, source, index, scale, count) }

    static var shuffles: ShuffleKernels<Double, Double> {
        ShuffleKernels(take: mp_take_f64, put: mp_put_f64, takeRows: mp_take_rows_f64, putRows: mp_put_rows_f64)
    }
}

/// f32 between two steps of the arithmetic of 16-bit weights.
enum WideFloat: WeightStorage {
    typealias Stored = Float
    typealias Real = Float
    typealias Scale = Float
    typealias Wide = WideFloat

    static var shuffles: ShuffleKernels<Float, Float> {
        ShuffleKernels(take: mp_take_wide, put: mp_put_wide, takeRows: mp_take_rows_wide, putRows: mp_put_rows_wide)
    }
}
