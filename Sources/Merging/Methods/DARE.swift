extension MergeMethod {
    /// DARE (arXiv 2311.03099): each entry of a task vector stays with the probability `density`, and what stays is rescaled to the former norm:
    /// `θ₀ + λ Σ w_i δ_i`.
    public static let dareLinear = SparseTaskArithmetic.method(
        name: "dare_linear", summary: "entries of the task vectors drawn at random and rescaled: θ₀ + λ Σ w_i δ_i",
        reference: "2311.03099", .random, .none, normalize: false, rescale: true)

    /// The same with the consensus of TIES.
    public static let dareTIES = SparseTaskArithmetic.method(
        name: "dare_ties",
        summary:
            "entries of the task vectors drawn at random and rescaled, where signs agree with the sum's: θ₀ + λ Σ w_i δ_i",
        reference: "2311.03099", .random, .sign, normalize: false, rescale: true)
}
