extension MergeMethod {
    /// MDM-OC (arXiv 2507.20997): each task vector without what lies along those before it, by Gram and Schmidt, of each tensor:
    /// `θ₀ + Σ w_i o_i` with `o_i = τ_i - Σ_{j<i} ⟨τ_i, o_j⟩ / ⟨o_j, o_j⟩ o_j`.
    ///
    /// What is left of a task vector that depends on those before it is rounding, and does not count.
    public static let mdmOC = MergeMethod(
        name: "mdm_oc", summary: "the base plus the task vectors, each orthogonal to those before it: θ₀ + Σ w_i o_i",
        reference: "2507.20997", base: .required, parameters: [.weight]
    ) { tensor in
        let gram = try GramMatrix(of: tensor, from: .base)
        /// Of the task vectors, with the squares of their norms; without those that vanish.
        var directions: [(shares: [Double], square: Double)] = []
        var sum = [Double](repeating: 0, count: gram.count)
        for (model, weight) in tensor.values("weight").enumerated() {
            var own = (0..<gram.count).map { $0 == model ? 1.0 : 0 }
            // Twice, as the first time leaves its rounding errors.
            for _ in 0..<2 {
                for direction in directions {
                    let along = gram.product(own, direction.shares) / direction.square
                    own = zip(own, direction.shares).map { $0 - along * $1 }
                }
            }
            let square = gram.product(own, own)
            guard square > 1e-12 * gram[model, model] else { continue }
            directions.append((own, square))
            sum = zip(sum, own).map { $0 + weight * $1 }
        }
        return Combination(ofTaskVectors: sum).kernel
    }
}
