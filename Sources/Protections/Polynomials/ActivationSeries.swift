import Architectures
import Glibc

/// Power series of activations about a point, in f64.
extension Activation {
    /// The coefficients `σ⁽ⁿ⁾(z)/n!` for n from 0 to `order`; nil where the function has no series about every point.
    package func series(about z: Double, order: Int) -> [Double]? {
        let x = PowerSeries([z, 1], order: order)
        return switch self {
        case .relu, .relu2: nil
        case .tanh: x.tanh.terms
        case .silu: (x * x.sigmoid).terms
        case .quickGelu: (x * (x * 1.702).sigmoid).terms
        case .gelu: (x * (PowerSeries([0.5], order: order) + (x * 0.5.squareRoot()).errorFunction * 0.5)).terms
        case .geluTanh:
            (x * ((x + x * x * x * 0.044715) * (2 / Double.pi).squareRoot() * 2).sigmoid).terms
        }
    }

    package func value(at z: Double) -> Double {
        switch self {
        case .relu: max(z, 0)
        case .relu2: z > 0 ? z * z : 0
        default: series(about: z, order: 0)?[0] ?? 0
        }
    }
}

/// The first terms of a power series, `Σ a_n·hⁿ`.
private struct PowerSeries {
    let terms: [Double]

    init(_ terms: [Double], order: Int) {
        self.terms = (0...order).map { $0 < terms.count ? terms[$0] : 0 }
    }

    private var order: Int { terms.count - 1 }

    static func + (a: Self, b: Self) -> Self { Self(zip(a.terms, b.terms).map(+), order: a.order) }
    static func * (a: Self, s: Double) -> Self { Self(a.terms.map { $0 * s }, order: a.order) }

    static func * (a: Self, b: Self) -> Self {
        Self((0...a.order).map { n in (0...n).reduce(0) { $0 + a.terms[$1] * b.terms[n - $1] } }, order: a.order)
    }

    /// The series y with y' = d(y)·u', term by term: `(n+1)·y_{n+1} = Σ_k d_k·(n-k+1)·u_{n-k+1}`, of which d's terms up to n take y's.
    private func solving(_ start: Double, _ derivative: (Self) -> Self) -> Self {
        var y = [start]
        for n in 0..<order {
            let d = derivative(Self(y, order: n)).terms
            y.append((0...n).reduce(0) { $0 + d[$1] * Double(n - $1 + 1) * terms[n - $1 + 1] } / Double(n + 1))
        }
        return Self(y, order: order)
    }

    /// 1/(1 + e⁻ᵘ), of which the derivative is y - y².
    var sigmoid: Self {
        let u = terms[0]
        return solving(u < 0 ? exp(u) / (1 + exp(u)) : 1 / (1 + exp(-u))) { $0 + $0 * $0 * -1 }
    }

    /// Of which the derivative is 1 - y².
    var tanh: Self {
        solving(Glibc.tanh(terms[0])) { y in Self([1], order: y.order) + y * y * -1 }
    }

    /// Of which the derivative is 2/√π·e^(-u²).
    var errorFunction: Self {
        let bell = (self * self * -1).exponential * (2 / Double.pi.squareRoot())
        return solving(erf(terms[0])) { y in Self(bell.terms, order: y.order) }
    }

    private var exponential: Self { solving(exp(terms[0])) { $0 } }
}
