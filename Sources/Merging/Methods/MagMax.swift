import CKernels

extension MergeMethod {
    /// MagMax (arXiv 2407.06322): of each entry the task vector of the largest magnitude, of equal ones the first: `θ₀ + λ τ`.
    public static let magMax = MergeMethod(
        name: "magmax", summary: "the base plus, entry by entry, the task vector of the largest magnitude, times λ",
        reference: "2407.06322", base: .required, parameters: [.number("lambda", 1, in: -1e9...1e9)]
    ) { tensor in
        let lambda = Float(tensor["lambda"])
        return { tile in
            guard let base = tile.base else { return }
            mp_largest_f32(tile.output, tile.pointers, base, tile.models.count, tile.count, lambda)
        }
    }
}
