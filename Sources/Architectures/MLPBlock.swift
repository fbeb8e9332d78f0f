/// A feed-forward block: `down(act(up x))`, or `down(act(gate x) ∘ up x)` when gated.
public struct MLPBlock: Sendable, Equatable {
    /// `min(g, limit)·σ(α·min(g, limit)) · (clamp(u, ±limit) + 1)` in place of `act(g)·u` (GPT-OSS).
    public struct Clamp: Sendable, Equatable {
        public let limit: Double
        public let alpha: Double
    }

    public let name: String
    public let layer: Int
    public let intermediateSize: Int
    public let gate: Projection?
    public let up: Projection
    public let down: Projection
    public let activation: Activation
    public let clamp: Clamp?
    /// The tensor of the polynomials that stand for the activation (`PolynomialActivations`); nil where it is the activation itself.
    public let series: String?
}

/// A mixture of experts: `Σ_e w_e(x)·expert_e(x)` over the experts that a router chooses, and perhaps one that is always there.
public struct ExpertsBlock: Sendable, Equatable {
    public enum Scoring: String, Sendable, CaseIterable {
        /// Softmax over all experts, then the best (Mixtral, Qwen).
        case softmax
        /// The best, then softmax over those (GPT-OSS).
        case softmaxOfChosen = "softmax_of_chosen"
        /// Sigmoid of each (DeepSeek-V3).
        case sigmoid
        /// Sigmoid, and the expert's input is multiplied by it, not its output (Llama 4).
        case sigmoidOnInput = "sigmoid_on_input"
    }

    public enum GroupScore: String, Sendable, CaseIterable {
        /// The sum of its two best experts' (DeepSeek-V3).
        case sumOfBestTwo = "sum_of_best_two"
        /// Its best expert's (DeepSeek-V2).
        case best
    }

    public let name: String
    public let layer: Int
    public let router: Projection
    public let scoring: Scoring
    /// Stored name of what is added to scores for the choice alone (`e_score_correction_bias`).
    public let choiceBias: String?
    /// The axis of its tensor that carries experts.
    public let choiceBiasAxis: Int
    public let chosen: Int
    /// Experts are chosen within the best `chosenGroups` of `groups` equal groups.
    public let groups: Int
    public let chosenGroups: Int
    public let groupScore: GroupScore
    /// Whether the chosen weights are divided by their sum.
    public let normalizes: Bool
    /// What is added to that sum.
    public let sumOffset: Double
    /// What stands for that sum where it is less.
    public let leastSum: Double
    public let scale: Double
    public let experts: [MLPBlock]
    public let shared: MLPBlock?
    /// σ of this map's one output multiplies the shared expert.
    public let sharedGate: Projection?
}
