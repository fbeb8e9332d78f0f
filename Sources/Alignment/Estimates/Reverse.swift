import LinearAlgebra

extension AlignmentMethod {
    /// The base's rows fitted onto the protected ones, on what a block reads: `A = argmin ‖L - A·L₀‖`. What a decoy leaves of the correlation with the base
    /// is proportional to the element, so that this finds it up to a factor, which the ratio of the norms of both sides gives.
    public static let reverse = reverse(
        "reverse", .input,
        "the base fitted onto the protected model, by what blocks read: A = argmin ‖L - A·L₀‖, of the base's norm ratio"
    )

    /// The same on what a block writes, and on queries: `A⁻ᵀ = argmin ‖R - A⁻ᵀ·R₀‖`.
    public static let reverseOutput = reverse(
        "reverse_output", .output, "the same by what blocks write, and queries: A⁻ᵀ = argmin ‖R - A⁻ᵀ·R₀‖")

    private static func reverse(_ name: String, _ anchor: Anchor, _ summary: String) -> AlignmentMethod {
        AlignmentMethod(
            name: name, summary: summary,
            linear: { sides in
                let (own, before) = anchor == .input ? (sides.left, sides.left0) : (sides.right, sides.right0)
                let gram = before * before.transposed
                let fitted = try gram.solve(before * own.transposed).transposed
                let undoing = anchor == .input ? try fitted.inverse() : fitted.transposed
                let (left, right) = (undoing * sides.left, try undoing.inverse().transposed * sides.right)
                let ratio =
                    (right.squaredNorm / left.squaredNorm) * (sides.left0.squaredNorm / sides.right0.squaredNorm)
                let size = ratio.isFinite && ratio > 0 ? ratio.squareRoot().squareRoot() : 1
                return try InvertibleMatrix(undoing: undoing * size)
            }, anchor: anchor)
    }
}
