/// The straight path θ(α) = (1-α)θ_A + αθ_B between two models.
struct LossPath {
    /// From 0 to 1 at even distances.
    let alphas: [Double]

    /// - Parameter points: two at least.
    init(points: Int) { alphas = (0..<points).map { Double($0) / Double(points - 1) } }

    /// The loss barrier: max over α of L(θ(α)) - ((1-α)L(θ_A) + αL(θ_B)), in the losses' unit.
    func barrier(of losses: [Double]) -> Double {
        guard let first = losses.first, let last = losses.last else { return 0 }
        return zip(alphas, losses).map { alpha, loss in loss - ((1 - alpha) * first + alpha * last) }.max() ?? 0
    }
}
