import Glibc
import LinearAlgebra

extension AlignmentMethod {
    /// Rotation-symmetry matching (arXiv 2502.00264): the orthogonal matrix nearest to both sides as they are, `A = U·Vᵀ` of `L L₀ᵀ + R R₀ᵀ = U S Vᵀ`,
    /// and the size c that then minimises `‖c·AᵀL - L₀‖² + ‖AᵀR/c - R₀‖²`. Rotary pairs are turned by unit complex numbers.
    public static let rotation = AlignmentMethod(
        name: "rotation",
        summary: "both sides turned together, A = U·Vᵀ of L L₀ᵀ + R R₀ᵀ = U S Vᵀ, then one size for each head",
        reference: "2502.00264", linear: rotated, rotary: .phases)

    /// The same for models with rotary embeddings (arXiv 2606.17830): of a rotary pair only a complex number is free, whose phase maximises
    /// `Re conj(z)(⟨k₀, k⟩ + ⟨q₀, q⟩)` and whose size fits both sides; heads without are turned.
    public static let rope = AlignmentMethod(
        name: "rope",
        summary:
            "each rotary pair by least squares: the phase of ⟨k₀, k⟩ + ⟨q₀, q⟩, then a size; other heads as rotation",
        reference: "2606.17830", linear: rotated, rotary: .phasesAndSizes)

    private static let rotated: @Sendable (Sides) throws -> InvertibleMatrix = { sides in
        let cross = sides.left * sides.left0.transposed + sides.right * sides.right0.transposed
        guard cross.squaredNorm > 0 else { throw LinearAlgebraError.singular(routine: "gesdd", pivot: 1) }
        let (u, _, vt) = try cross.svd()
        let turn = (u * vt).transposed
        let (left, right) = (turn * sides.left, turn * sides.right)
        let size = fittedSize(
            (left.squaredNorm, dot(left.elements[...], sides.left0.elements[...])),
            (right.squaredNorm, dot(right.elements[...], sides.right0.elements[...])))
        let inverse = turn * size
        return InvertibleMatrix(matrix: turn.transposed * (1 / size), inverse: inverse, condition: 1)
    }

    /// The c > 0 that minimises `‖c·L - L₀‖² + ‖R/c - R₀‖²`: a root of `‖L‖²c⁴ - ⟨L, L₀⟩c³ + ⟨R, R₀⟩c - ‖R‖²`.
    ///
    /// - Parameters: of both sides ‖·‖² and the inner product with the base's.
    static func fittedSize(_ left: (own: Double, inner: Double), _ right: (own: Double, inner: Double)) -> Double {
        func error(_ c: Double) -> Double {
            c * c * left.own - 2 * c * left.inner + right.own / (c * c) - 2 * right.inner / c
        }
        func slope(_ c: Double) -> Double {
            ((left.own * c - left.inner) * c * c + right.inner) * c - right.own
        }
        // The polynomial may have three roots: the lowest of a grid leads to the one that counts.
        let grid = (-160...160).map { exp2(Double($0) / 4) }
        guard let start = grid.min(by: { error($0) < error($1) }) else { return 1 }
        var (low, high) = (start / exp2(0.25), start * exp2(0.25))
        for _ in 0..<60 {
            let middle = (low * high).squareRoot()
            if slope(middle) < 0 { low = middle } else { high = middle }
        }
        let size = (low * high).squareRoot()
        return size.isFinite && size > 0 ? size : 1
    }
}
