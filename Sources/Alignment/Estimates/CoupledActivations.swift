extension AlignmentMethod {
    /// `coupled` in the metric of what the base's blocks read: rows of queries, keys, values, gates and ups (d_h x d) are taken times `C^½` (d x d), C
    /// being the second moments of their inputs on calibration data. What a decoy adds lies where inputs hardly ever point, so that it is not seen.
    public static let coupledActivations = AlignmentMethod(
        name: "coupled_activations",
        summary: "coupled, with what blocks read weighted by the base's activations: min a·‖(T L - L₀)·C^½‖² + …",
        linear: AlignmentMethod.coupled.linear, usesActivations: true)
}
