extension MergeMethod {
    /// TIES (arXiv 2306.01708): of each task vector the largest entries, `density` of them, stay; of these, entry by entry, those count whose sign is
    /// that of their weighted sum: `θ₀ + λ Σ w_i δ_i / Σ w_i`.
    public static let ties = SparseTaskArithmetic.method(
        name: "ties",
        summary: "the largest entries of the task vectors, where signs agree with the sum's: θ₀ + λ Σ w_i δ_i / Σ w_i",
        reference: "2306.01708", .magnitude, .sign, normalize: true, rescale: false)
}
