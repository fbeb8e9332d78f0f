import LinearAlgebra

extension MergeMethod {
    /// Isotropic merging in the common subspace (arXiv 2502.04959): all singular values of the task vectors' sum become their mean:
    /// `θ₀ + λ·mean(σ)·U·Vᵀ` with `U·diag(σ)·Vᵀ = Σ w_i τ_i`.
    ///
    /// Of matrices of layers. All else, such as biases, gains, embeddings and heads, is averaged: `θ₀ + λ Σ w_i τ_i / Σ w_i`. Directions in which the
    /// sum is nothing but rounding, for which any vectors would do, stay as they are in the base.
    public static let isoC = MergeMethod(
        name: "iso_c",
        summary:
            "matrices of layers: the task vectors' sum U σ Vᵀ with all singular values their mean, θ₀ + λ mean(σ) U Vᵀ; all else averaged",
        reference: "2502.04959", base: .required, parameters: Parameter.spectral
    ) { tensor in
        guard let tasks = TaskMatrices(tensor) else { return tensor.averaged }
        return try tasks.kernel {
            let sum = try tasks.tallSum()
            let spectrum = try Spectrum(ofGram: tasks.work.gram(sum))
            let mean = spectrum.values.reduce(0, +) / Double(tasks.rankLimit)
            // U Vᵀ = A V diag(1/σ) Vᵀ.
            return try tasks.work.product(sum, spectrum.function { mean / $0 }, transposing: tasks.isWide)
        }
    }
}
