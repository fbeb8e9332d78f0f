extension MergeMethod {
    /// Task arithmetic (arXiv 2212.04089): `θ₀ + λ Σ w_i (θ_i - θ₀)`.
    public static let taskArithmetic = MergeMethod(
        name: "task_arithmetic", summary: "the base plus its models' task vectors: θ₀ + λ Σ w_i (θ_i - θ₀)",
        reference: "2212.04089", base: .required,
        parameters: [.weight, .flag("normalize", false), .number("lambda", 1, in: -1e9...1e9)]
    ) { tensor in
        Combination(ofTaskVectors: tensor.weights.map { $0 * tensor["lambda"] }).kernel
    }
}
