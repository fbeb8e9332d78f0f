import LinearAlgebra

extension AlignmentMethod {
    /// The orthogonal element nearest to what both sides say: `A = U·Vᵀ` of the singular value decomposition `a·L L₀ᵀ + b·R R₀ᵀ = U S Vᵀ`.
    public static let procrustes = AlignmentMethod(
        name: "procrustes",
        summary: "the nearest orthogonal element of both sides: A = U·Vᵀ of a·L L₀ᵀ + b·R R₀ᵀ = U S Vᵀ",
        linear: { sides in
            let cross =
                (sides.left * sides.left0.transposed) * (1 / (sides.left.frobeniusNorm * sides.left0.frobeniusNorm))
                + (sides.right * sides.right0.transposed)
                * (1 / (sides.right.frobeniusNorm * sides.right0.frobeniusNorm))
            let (u, _, vt) = try cross.svd()
            let matrix = u * vt
            return InvertibleMatrix(matrix: matrix, inverse: matrix.transposed, condition: 1)
        })
}
