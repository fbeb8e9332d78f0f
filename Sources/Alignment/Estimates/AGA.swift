import LinearAlgebra

extension AlignmentMethod {
    /// Each projection by itself, as AGA fits them (arXiv 2606.30360): `T = argmin ‖T W - W₀‖`. What it recovers computes something else than the
    /// protected model, as the two sides of a site are not undone by one element.
    public static let aga = AlignmentMethod(
        name: "aga", summary: "each projection of a head by least squares of its own: T = argmin ‖T W - W₀‖",
        reference: "2606.30360",
        linear: { sides in
            // Of the left side alone: each side is a site of its own here.
            let gram = sides.left * sides.left.transposed
            let t = try gram.solve(sides.left * sides.left0.transposed).transposed
            return try InvertibleMatrix(undoing: t)
        }, keepsFunction: false)
}
