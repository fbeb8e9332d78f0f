extension MergeMethod {
    /// Values of the other model where they lie near the base's, and a step of t towards them elsewhere:
    /// `w θ₁ + (1-w) θ₀` with `w = min(t / max(|θ₁ - θ₀|, 1e-6), 1)`.
    public static let nearSwap = MergeMethod(
        name: "nearswap",
        summary: "one other model's values where they are within t of the base's, and t towards them elsewhere",
        base: .required, models: 1...1, parameters: [.required("t", in: -1e9...1e9)]
    ) { tensor in
        let t = Float(tensor["t"])
        return { tile in
            guard let base = tile.base, let other = tile.models.first else { return }
            for i in 0..<tile.count {
                let share = min(max(t / max((base[i] - other[i]).magnitude, 1e-6), 0), 1)
                tile.output[i] = share * other[i] + (1 - share) * base[i]
            }
        }
    }
}
