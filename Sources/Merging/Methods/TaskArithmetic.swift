extension MergeMethod {
    /// Task arithmetic (arXiv 2212.04089): `θ₀ + λ Σ w_i (θ_i - θ₀)`.
    public static let taskArithmetic = MergeMethod(
        name: "task_arithmetic", summary: "the base plus its models' task vectors: θ₀ + λ Σ w_i (θ_i - θ₀)",
        reference: "2212.04089", needsBase: true,
        parameters: [Parameter("normalize", 0, in: 0...1), Parameter("lambda", 1, in: -100...100)]
    ) { tile in
        guard let base = tile.base else { return }
        let lambda = tile["lambda"]
        tile.output.update(from: base, count: tile.count)
        for (model, weight) in zip(tile.models, tile.effectiveWeights) {
            for i in 0..<tile.count { tile.output[i] += lambda * weight * (model[i] - base[i]) }
        }
    }
}
