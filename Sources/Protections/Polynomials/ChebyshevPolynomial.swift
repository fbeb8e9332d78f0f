import Glibc
import LinearAlgebra

/// `Σ_n a_n·T_n(t)` with Chebyshev's polynomials T_n(cos φ) = cos nφ, for t from -1 to 1.
package struct ChebyshevPolynomial {
    package let coefficients: [Double]

    /// The polynomial `Σ_n b_n·tⁿ`: from `t·T_n = (T_{n+1} + T_{n-1})/2`, by Horner's rule.
    package init(monomials b: [Double]) {
        var a = [Double](repeating: 0, count: b.count)
        for term in b.reversed() {
            var next = [Double](repeating: 0, count: b.count)
            for n in a.indices where a[n] != 0 {
                if n + 1 < next.count { next[n + 1] += n == 0 ? a[n] : a[n] / 2 }
                if n > 0 { next[n - 1] += a[n] / 2 }
            }
            next[0] += term
            a = next
        }
        coefficients = a
    }

    /// The polynomial of least `Σ w·(p(t) - y)²`.
    /// - Throws: where the nodes do not determine it.
    package init(order: Int, fitting nodes: [(t: Double, weight: Double, value: Double)]) throws(LinearAlgebraError) {
        let size = order + 1
        var normal = [Double](repeating: 0, count: size * size)
        var right = [Double](repeating: 0, count: size)
        var terms = [Double](repeating: 1, count: size)
        for node in nodes where node.weight > 0 {
            if order > 0 { terms[1] = node.t }
            for n in stride(from: 2, to: size, by: 1) { terms[n] = 2 * node.t * terms[n - 1] - terms[n - 2] }
            for i in 0..<size {
                let weighted = node.weight * terms[i]
                right[i] += weighted * node.value
                for j in i..<size { normal[i * size + j] += weighted * terms[j] }
            }
        }
        for i in 0..<size {
            for j in 0..<i { normal[i * size + j] = normal[j * size + i] }
        }
        let matrix = Matrix(rows: size, columns: size, elements: normal)
        coefficients = try matrix.solve(Matrix(rows: size, columns: 1, elements: right)).elements
    }

    /// Where T_count is zero: nodes that keep a fit near its function up to both ends.
    package static func zeros(_ count: Int) -> [Double] {
        (0..<count).map { cos((Double($0) + 0.5) * .pi / Double(count)) }
    }
}
