import LinearAlgebra

extension MergeMethod {
    /// Task singular vectors, merged (arXiv 2412.00081): of each of the N task vectors the leading r / N singular directions, r being how many a matrix
    /// has; all left ones together and all right ones together are made orthonormal by their polar factors: `θ₀ + λ·U⊥·diag(σ)·V⊥ᵀ`.
    ///
    /// Of matrices of layers; all else is averaged. Directions that several task vectors have in common count once.
    public static let tsvM = MergeMethod(
        name: "tsv_m",
        summary:
            "matrices of layers: the leading singular directions of each task vector made orthogonal to the others', θ₀ + λ U⊥ σ V⊥ᵀ; all else averaged",
        reference: "2412.00081", base: .required, parameters: Parameter.spectral
    ) { tensor in
        guard let tasks = TaskMatrices(tensor) else { return tensor.averaged }
        return try tasks.kernel {
            let own = tasks.rankLimit / max(tasks.count, 1)
            var directions = Directions(tasks, count: own * tasks.count)
            for model in 0..<tasks.count {
                let matrix = try tasks.tall(model)
                try directions.add(Spectrum(ofGram: tasks.work.gram(matrix)), own, of: matrix)
            }
            return try directions.whitened { $0 }
        }
    }
}
