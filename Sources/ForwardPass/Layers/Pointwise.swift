import Architectures
import Checkpoints
import Glibc
import LinearAlgebra

extension Activation {
    func apply<Real: ComputeScalar>(_ x: UnsafeMutablePointer<Real>, _ count: Int) {
        switch self {
        case .gelu: Real.gelu(x, count)
        case .geluTanh: Real.geluTanh(x, count)
        case .quickGelu: Real.quickGelu(x, count, 1.702)
        case .silu: Real.silu(x, count)
        case .relu: for i in 0..<count { x[i] = max(x[i], 0) }
        case .relu2: for i in 0..<count { x[i] = x[i] > 0 ? x[i] * x[i] : 0 }
        case .tanh: Real.hyperbolicTangent(x, count)
        }
    }
}

/// A norm with its parameters read and its offset added.
struct LoadedNorm<Real: ComputeScalar>: Sendable {
    let kind: Norm.Kind
    let epsilon: Double
    let gain: [Real]?
    let bias: [Real]?

    init(_ norm: Norm, _ weights: Weights) throws(ForwardError) {
        kind = norm.kind
        epsilon = norm.epsilon
        var gain: [Real]?
        if let name = norm.weight {
            gain = try weights.values(name)
            if norm.gainOffset != 0 { gain = gain?.map { $0 + Real(norm.gainOffset) } }
        }
        self.gain = gain
        var bias: [Real]?
        if let name = norm.bias { bias = try weights.values(name) }
        self.bias = bias
    }

    /// Normalises `count` values; gain and bias are taken from `offset` on.
    func apply(
        _ target: UnsafeMutablePointer<Real>, _ x: UnsafePointer<Real>, _ count: Int, offset: Int = 0
    ) {
        let mean = kind == .layer ? Real.sum(x, count) / Real(count) : 0
        let variance = Real.sumOfSquares(x, count, mean: mean) / Real(count)
        let scale = 1 / (variance + Real(epsilon)).squareRoot()
        withPointer(gain, offset) { gain in
            withPointer(bias, offset) { bias in
                Real.normalize(target, x, count, mean: mean, scale: scale, gain: gain, bias: bias)
            }
        }
    }

    func apply(_ x: States<Real>) -> States<Real> {
        let y = States<Real>(rows: x.rows, columns: x.columns)
        for row in 0..<x.rows { apply(y.row(row), x.row(row), x.columns) }
        return y
    }

    private func withPointer(_ values: [Real]?, _ offset: Int, _ body: (UnsafePointer<Real>?) -> Void) {
        guard let values else { return body(nil) }
        values.withUnsafeBufferPointer { body($0.baseAddress.map { $0 + offset }) }
    }
}
