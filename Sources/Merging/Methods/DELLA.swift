extension MergeMethod {
    private static let epsilon = Parameter.number("epsilon", 0.15, in: 0...1, .model)

    /// DELLA (arXiv 2406.11617): each entry of a task vector stays with a probability that grows with the rank of its magnitude in its row, from
    /// `density - epsilon` to `density + epsilon`, and what stays is rescaled; with the consensus of TIES: `θ₀ + λ Σ w_i δ_i / Σ w_i`.
    ///
    /// Rows lie along the last axis. Of equal magnitudes the first rank lowest; a row of one value stays with the probability `density`.
    public static let della = SparseTaskArithmetic.method(
        name: "della",
        summary:
            "entries of the task vectors drawn by their ranks in their rows and rescaled, where signs agree with the sum's",
        reference: "2406.11617", .ranked, .sign, normalize: true, rescale: true, [epsilon])

    /// The same without consensus: `θ₀ + λ Σ w_i δ_i`.
    public static let dellaLinear = SparseTaskArithmetic.method(
        name: "della_linear",
        summary: "entries of the task vectors drawn by their ranks in their rows and rescaled: θ₀ + λ Σ w_i δ_i",
        reference: "2406.11617", .ranked, .none, normalize: false, rescale: true, [epsilon])
}
