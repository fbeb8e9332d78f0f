extension AlignmentMethod {
    /// Activation matching of Git Re-Basin (arXiv 2209.04836, section 3.1): permutations alone, by the linear assignment
    /// `argmax_P ⟨P, Zᵀ Z₀⟩ = argmin_P Σ_t ‖z(t) - P z₀(t)‖²` of activations Z and Z₀ (positions x channels) of both models on the same inputs, as they are, neither
    /// centred nor scaled. Rotary pairs stay as they are.
    public static let gitRebasinActivations = AlignmentMethod(
        name: "git_rebasin_activations",
        summary: "permutations alone: the assignment with the largest inner products of both models' activations",
        reference: "2209.04836", linear: AlignmentMethod.gitRebasin.linear, rotary: .nothing, permutesOnly: true,
        usesActivations: true, weightShare: 0)
}
