import LinearAlgebra

extension AlignmentMethod {
    /// Weight matching of Git Re-Basin (arXiv 2209.04836): permutations alone, by a linear assignment that maximises the sum of the inner products of all of
    /// a channel's rows, `Σ ⟨L_i, L₀_p(i)⟩ + ⟨R_i, R₀_p(i)⟩`. Rotary pairs stay as they are.
    public static let gitRebasin = AlignmentMethod(
        name: "git_rebasin",
        summary: "permutations alone: the assignment with the largest inner products of all of a channel's rows",
        reference: "2209.04836",
        linear: { sides in
            let products = sides.left * sides.left0.transposed + sides.right * sides.right0.transposed
            guard products.squaredNorm > 0 else { throw LinearAlgebraError.singular(routine: "assignment", pivot: 1) }
            let source = try LinearAssignment(minimising: Matrix<Float>(products * -1)).columns
            var matrix = Matrix<Double>(rows: source.count, columns: source.count, repeating: 0)
            for (channel, origin) in source.enumerated() { matrix[channel, origin] = 1 }
            return InvertibleMatrix(matrix: matrix, inverse: matrix.transposed, condition: 1)
        }, rotary: .nothing, permutesOnly: true)
}
