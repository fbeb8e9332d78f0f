import LinearAlgebra

extension MergeMethod {
    /// Isotropic merging in common and task-specific subspaces (arXiv 2502.04959).
    ///
    /// Of a matrix of r singular values: the leading k directions of Σ w_i τ_i are common; of each τ_i, without what lies in the common outputs, the
    /// leading (r - k) / N are its own. All of them together are made orthonormal by their polar factors, U⊥ and V⊥, and have one singular value,
    /// the mean of theirs: `θ₀ + λ·mean(σ)·U⊥·V⊥ᵀ`. k is `common_space_fraction` of r, so that the rest is shared out evenly. What is no matrix of a
    /// layer is averaged.
    public static let isoCTS = MergeMethod(
        name: "iso_cts",
        summary:
            "as iso_c, with the task vectors' own directions beside the common ones: θ₀ + λ mean(σ) U⊥ V⊥ᵀ; all else averaged",
        reference: "2502.04959", base: .required,
        parameters: Parameter.spectral + [.number("common_space_fraction", 0.8, in: 0...1)]
    ) { tensor in
        guard let tasks = TaskMatrices(tensor) else { return tensor.averaged }
        return try tasks.kernel {
            let (limit, count) = (tasks.rankLimit, tasks.count)
            let (common, own) = Self.shares(of: limit, tensor["common_space_fraction"], tasks: count)
            let sum = try tasks.tallSum()
            let spectrum = try Spectrum(ofGram: tasks.work.gram(sum))
            var directions = Directions(tasks, count: limit)
            try directions.add(spectrum, common, of: sum)
            let shared = try tasks.work.product(sum, spectrum.leading(common) { 1 / $0 })
            for model in 0..<count where own > 0 {
                let matrix = try tasks.tall(model)
                let rest = try Self.without(shared, spectrum, common, matrix, tasks)
                try directions.add(Spectrum(ofGram: tasks.work.gram(rest)), own, of: rest)
            }
            let mean = directions.values.reduce(0, +) / Double(limit)
            return try directions.whitened { _ in mean }
        }
    }

    /// How many directions are common, and how many each task has to itself.
    private static func shares(of limit: Int, _ fraction: Double, tasks: Int) -> (common: Int, own: Int) {
        let rest = limit - Int(Double(limit) * fraction)
        let own = Int((Double(rest) / Double(max(tasks, 1))).rounded(.toNearestOrEven))
        // Rounded up, they may be more than there are.
        return own * tasks <= limit ? (limit - own * tasks, own) : (limit - limit / tasks * tasks, limit / tasks)
    }

    /// A task vector without what lies in the common outputs, W - U Uᵀ W. Of a wide matrix the transpose is at hand, and U is what it has on the right.
    private static func without(
        _ shared: SharedMatrix<Float>, _ spectrum: Spectrum, _ common: Int, _ matrix: SharedMatrix<Float>,
        _ tasks: TaskMatrices
    ) throws -> SharedMatrix<Float> {
        guard tasks.isWide else {
            try tasks.work.subtract(shared, times: tasks.work.inner(shared, matrix), from: matrix)
            return matrix
        }
        let outputs = spectrum.leading(common)
        let along = try tasks.work.product(matrix, outputs)
        try tasks.work.subtract(along, times: outputs.transposed, from: matrix)
        return matrix
    }
}
