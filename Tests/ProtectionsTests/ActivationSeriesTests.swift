import Architectures
import Foundation
import Protections
import Testing

/// Series of activations and polynomials that stand for them, against the functions themselves.
@Suite struct ActivationSeriesTests {
    /// By the formulas of transformers.
    private static func value(_ activation: Activation, _ z: Double) -> Double {
        switch activation {
        case .gelu: z * 0.5 * (1 + erf(z / 2.0.squareRoot()))
        case .geluTanh: 0.5 * z * (1 + tanh((2 / Double.pi).squareRoot() * (z + 0.044715 * z * z * z)))
        case .quickGelu: z / (1 + exp(-1.702 * z))
        case .silu: z / (1 + exp(-z))
        case .relu: max(z, 0)
        case .relu2: max(z, 0) * max(z, 0)
        case .tanh: tanh(z)
        }
    }

    @Test(arguments: Activation.allCases)
    func theSeriesIsTheFunctionNearby(activation: Activation) throws {
        for z in [-6.5, -1.3, -0.2, 0, 0.7, 2.1, 9] {
            let expected = Self.value(activation, z)
            #expect((activation.value(at: z) - expected).magnitude <= 4e-16 * max(1, expected.magnitude))
            guard let series = activation.series(about: z, order: 24) else {
                #expect([.relu, .relu2].contains(activation))
                continue
            }
            #expect(series.count == 25)
            for h in [-0.3, -0.05, 0.1, 0.3] {
                let sum = series.reversed().reduce(0) { $0 * h + $1 }
                #expect((sum - Self.value(activation, z + h)).magnitude < 1e-12, "\(activation) \(z) \(h)")
            }
        }
    }

    private func sum(_ coefficients: [Double], _ t: Double) -> Double {
        coefficients.enumerated().reduce(0) { $0 + $1.element * cos(Double($1.offset) * acos(t)) }
    }

    @Test func monomialsBecomeChebyshevs() {
        let b = [0.5, -1.25, 3, 0, -2, 7.5, 1, -0.125]
        for count in 1...b.count {
            let polynomial = ChebyshevPolynomial(monomials: Array(b[..<count]))
            for t in [-1, -0.62, 0, 0.33, 1] {
                let expected = b[..<count].reversed().reduce(0) { $0 * t + $1 }
                #expect((sum(polynomial.coefficients, t) - expected).magnitude < 1e-13)
            }
        }
    }

    /// The weighted residual is orthogonal to every polynomial of the degree, and no other polynomial does better.
    @Test func fitsAreOfLeastSquares() throws {
        let nodes = (0..<200).map { number in
            let t = cos(Double(number) * 0.7)
            return (t: t, weight: 1 + sin(Double(number)), value: Self.value(.gelu, 4 * t - 1))
        }
        for order in [1, 4, 8, 16] {
            let fitted = try ChebyshevPolynomial(order: order, fitting: nodes).coefficients
            func error(_ coefficients: [Double]) -> Double {
                nodes.reduce(0) { $0 + $1.weight * pow(sum(coefficients, $1.t) - $1.value, 2) }
            }
            for n in 0...order {
                let product = nodes.reduce(0) {
                    $0 + $1.weight * (sum(fitted, $1.t) - $1.value) * cos(Double(n) * acos($1.t))
                }
                #expect(product.magnitude < 1e-10)
                for step in [-1e-3, 1e-3] {
                    var other = fitted
                    other[n] += step
                    #expect(error(other) > error(fitted))
                }
            }
        }
        let exact = try ChebyshevPolynomial(
            order: 3, fitting: nodes.map { ($0.t, $0.weight, 1 - 2 * $0.t + 4 * $0.t * $0.t * $0.t) })
        for (found, expected) in zip(exact.coefficients, [1.0, 1, 0, 1]) {
            #expect((found - expected).magnitude < 1e-12)
        }
    }
}
