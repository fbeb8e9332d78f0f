import LinearAlgebra

extension AlignmentMethod {
    /// Least squares of one model's activations on the other's, positions x channels, on the same inputs. Of values, the base's fitted onto the protected ones:
    /// `Aᵀ = (Z₀ᵀZ₀)⁻¹ Z₀ᵀZ`, which what training added biases least. Of keys and queries one T for both, `min a‖Z_k Tᵀ - Z₀_k‖² + b‖Z_q - Z₀_q T‖²`, as in `coupled`. Of hidden
    /// channels an assignment of cosines, and scales from the ratio of norms.
    ///
    /// The ridge is a thousandth of the weights' own equations, each side's activations being one: what no input shows, the weights tell, and an exact lock is found exactly.
    public static let activations = AlignmentMethod(
        name: "activations",
        summary: "one element by least squares of both models' activations: A = argmin ‖Z - Z₀·Aᵀ‖² + ridge",
        linear: { sides in
            guard sides.right.squaredNorm == 0 else { return try AlignmentMethod.coupled.linear(sides) }
            let gram = sides.left0 * sides.left0.transposed
            let fitted = try gram.solve(sides.left0 * sides.left.transposed).transposed
            return try InvertibleMatrix(undoing: fitted.inverse())
        }, usesActivations: true, weightShare: 1e-3)
}
