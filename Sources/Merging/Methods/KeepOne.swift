import CKernels

extension MergeMethod {
    /// The first model as it is, and the task vectors of the others: `θ₁ + λ Σ_{i>1} (θ_i - θ₀)`.
    public static let keepOne = MergeMethod(
        name: "keep_one", summary: "the first model as it is plus the other models' task vectors: θ₁ + λ Σ (θ_i - θ₀)",
        base: .required, parameters: [.number("lambda", 1, in: -1e9...1e9)]
    ) { tensor in
        let lambda = Float(tensor["lambda"])
        return { tile in
            guard let base = tile.base, let first = tile.models.first else { return }
            tile.output.update(repeating: 0, count: tile.count)
            for other in tile.models.dropFirst() {
                mp_add_difference_f32(tile.output, other, base, tile.count, lambda)
            }
            mp_add_f32(tile.output, first, tile.count, 1)
        }
    }
}
