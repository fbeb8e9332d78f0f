import CKernels
import Checkpoints
import LinearAlgebra
import Symmetries

/// A table of Gaussian numbers that stands for the random inputs of all sites.
///
/// They follow from the sums that the first reading of both models gave, so that the same models give the same figures, and no
/// model can be fitted to the probes that will judge it.
struct Probes: Sendable {
    static let count = 8
    private let doubles: Matrix<Double>
    private let floats: Matrix<Float>

    /// As many as the largest side of these sites has inputs.
    init(for sites: [Site], in checkpoint: Checkpoint, seed: String) {
        var lines = 0
        for site in sites where !site.kind.isOuter {
            let parts = PartViews.all(of: site, channels: 0..<site.group.dimension, checkpoint, checkpoint) ?? []
            lines = max(lines, parts.map(\.lines).max() ?? 0)
        }
        self.init(lines: lines, seed: seed)
    }

    /// - Parameter lines: the most inputs that a side of a site has.
    private init(lines: Int, seed: String) {
        var stream = KeyedRandomStream(secret: [], info: "mergeproof/probes/\(seed)")
        doubles = stream.gaussianMatrix(rows: max(lines, 1), columns: Self.count)
        floats = Matrix<Float>(doubles)
    }

    func withTable<Real: ProbedScalar, Result>(
        _ type: Real.Type, _ body: (UnsafePointer<Real>?) throws -> Result
    ) rethrows -> Result {
        if let table = doubles as? Matrix<Real> {
            return try table.elements.withUnsafeBufferPointer { try body($0.baseAddress) }
        }
        if let table = floats as? Matrix<Real> {
            return try table.elements.withUnsafeBufferPointer { try body($0.baseAddress) }
        }
        return try body(nil)
    }
}

/// The arithmetic of probes: f32 for 16-bit weights, whose rounding lies far above its own, f64 for all others.
protocol ProbedScalar: RealScalar {
    static func read(_ view: SliceView, into target: UnsafeMutablePointer<Self>)
    /// `out[j] = Σ_i weight[i] (m[i, j]² + floor²)`.
    static func weightedSquaresByRow(
        _ out: UnsafeMutablePointer<Double>, _ m: UnsafePointer<Self>, _ rows: Int, _ columns: Int,
        _ weight: UnsafePointer<Double>, _ floor: Double)
    /// `out[i] = Σ_j weight[j] (m[i, j]² + floor²)`.
    static func weightedSquaresByColumn(
        _ out: UnsafeMutablePointer<Double>, _ m: UnsafePointer<Self>, _ rows: Int, _ columns: Int,
        _ weight: UnsafePointer<Double>, _ floor: Double)
}

extension Float: ProbedScalar {
    static func read(_ view: SliceView, into target: UnsafeMutablePointer<Float>) { view.read(into: target) }
    static func weightedSquaresByRow(
        _ out: UnsafeMutablePointer<Double>, _ m: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
        _ weight: UnsafePointer<Double>, _ floor: Double
    ) { mp_weighted_squares_by_row_f32(out, m, rows, columns, weight, floor) }
    static func weightedSquaresByColumn(
        _ out: UnsafeMutablePointer<Double>, _ m: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
        _ weight: UnsafePointer<Double>, _ floor: Double
    ) { mp_weighted_squares_by_column_f32(out, m, rows, columns, weight, floor) }
}

extension Double: ProbedScalar {
    static func read(_ view: SliceView, into target: UnsafeMutablePointer<Double>) { view.read(into: target) }
    static func weightedSquaresByRow(
        _ out: UnsafeMutablePointer<Double>, _ m: UnsafePointer<Double>, _ rows: Int, _ columns: Int,
        _ weight: UnsafePointer<Double>, _ floor: Double
    ) { mp_weighted_squares_by_row_f64(out, m, rows, columns, weight, floor) }
    static func weightedSquaresByColumn(
        _ out: UnsafeMutablePointer<Double>, _ m: UnsafePointer<Double>, _ rows: Int, _ columns: Int,
        _ weight: UnsafePointer<Double>, _ floor: Double
    ) { mp_weighted_squares_by_column_f64(out, m, rows, columns, weight, floor) }
}
