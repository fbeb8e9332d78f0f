extension MergeMethod {
    private static let gamma = Parameter.number("gamma", 0.01, in: 0...1, .model)

    /// Model Breadcrumbs (arXiv 2312.06795): of each task vector the largest entries go, `gamma` of them, and the smallest, so that `density` of
    /// them stay: `θ₀ + λ Σ w_i δ_i`. Where too few lie below the largest, fewer of these go.
    public static let breadcrumbs = SparseTaskArithmetic.method(
        name: "breadcrumbs",
        summary: "the task vectors without their largest and their smallest entries: θ₀ + λ Σ w_i δ_i",
        reference: "2312.06795", .outliers, .none, normalize: false, rescale: false, [gamma])

    /// The same with the consensus of TIES.
    public static let breadcrumbsTIES = SparseTaskArithmetic.method(
        name: "breadcrumbs_ties",
        summary: "the task vectors without their largest and their smallest entries, where signs agree with the sum's",
        reference: "2312.06795", .outliers, .sign, normalize: false, rescale: false, [gamma])
}
