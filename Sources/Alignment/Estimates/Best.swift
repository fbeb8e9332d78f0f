extension AlignmentMethod {
    /// Every method that keeps the function, site by site, and of each site the estimate whose aligned weights lie nearest to the base's.
    ///
    /// Site by site, as the sites of one step do not touch each other: the nearest whole is made of the nearest parts. Near is each side by its own
    /// noise, `Σ ln ‖X - X₀‖²` over the sides, the likelihood where each side's spread is unknown: a side that somebody has spoilt costs every method
    /// the same, and the other one decides. Fits of each side by itself would always be nearest, and compute something else: they take no part.
    public static let best = AlignmentMethod(
        name: "best",
        summary:
            "all that keep the function, and of each site the nearest to the base: least Σ ln‖X - X₀‖² over its sides",
        linear: AlignmentMethod.coupled.linear,
        candidates: [
            .coupled, .reweighted, .reverse, .reverseOutput, .procrustes, .rotation, .rope, .gitRebasin,
            .coupledActivations,
        ])
}
