extension MergeMethod {
    /// The weighted mean `Σ w_i θ_i / Σ w_i`, or the sum alone without `normalize` (arXiv 2203.05482).
    public static let linear = MergeMethod(
        name: "linear", summary: "weighted mean of the weights: Σ w_i θ_i / Σ w_i", reference: "2203.05482",
        base: .ignored, parameters: [.weight, .flag("normalize", true)]
    ) { tensor in
        Combination(tensor.weights).kernel
    }
}
