extension MergeMethod {
    /// The weighted mean: `Σ w_i θ_i / Σ w_i`, or the sum alone without `normalize` (arXiv 2203.05482).
    public static let linear = MergeMethod(
        name: "linear", summary: "weighted mean of the weights: Σ w_i θ_i / Σ w_i", reference: "2203.05482",
        needsBase: false, parameters: [Parameter("normalize", 1, in: 0...1)]
    ) { tile in
        tile.output.update(repeating: 0, count: tile.count)
        for (model, weight) in zip(tile.models, tile.effectiveWeights) {
            for i in 0..<tile.count { tile.output[i] += weight * model[i] }
        }
    }
}
