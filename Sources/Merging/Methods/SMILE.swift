extension MergeMethod {
    /// SMILE (arXiv 2408.10174): the base's linear maps with each model's difference ΔW_i = U_i Σ_i V_iᵀ beside them, of which every row x chooses,
    ///
    ///     y = W₀·x + b₀ + Σ_{i ∈ T} p_i·(U_i Σ_i V_iᵀ·x + b_i - b₀),   r_i = ‖V_iᵀ·x‖₂,   p = softmax of r over T
    ///
    /// with the `gate_k` leading columns of V_i in r_i, the `k` leading singular values in the sum, and T the `top_k` largest r_i. Names and defaults
    /// are those of the authors' configuration. Where k is not positive, or no less than a side of the map, differences are whole.
    ///
    /// Of linear maps of layers. All else, such as gains, embeddings and heads, is the base's; with `average_experts` the models' mean. There are no
    /// weights of one model to be written: `RoutedModel` is evaluated by the forward pass.
    public static let smile = MergeMethod(
        name: "smile",
        summary:
            "linear maps of layers with each model's ΔW_i = U σ Vᵀ of rank k beside the base's, chosen by every token for itself: the top_k largest ‖V_gateᵀ x‖",
        reference: "2408.10174", base: .required,
        parameters: [
            .number("gate_k", 1, in: 1...1e6, kind: .whole), .number("k", 128, in: -1...1e6, kind: .whole),
            .number("top_k", 1, in: 1...1e6, kind: .whole), .flag("average_experts", false),
        ]
    ) { _ in throw MergeError.noCheckpoint(method: "smile") }

    /// Those that keep every model, and let each token choose: they are evaluated, and give no weights to be written.
    public static let routed: [MergeMethod] = [.smile]

    public static var all: [MergeMethod] { builtIn + routed }

    public var isRouted: Bool { Self.routed.contains { $0.name == name } }
}

/// What was said of SMILE's parameters.
struct SMILEParameters {
    let gateRank: Int
    /// Nil for whole differences.
    let rank: Int?
    let chosen: Int
    let averagesExperts: Bool

    /// - Throws: `MergeError` for values that the method does not take.
    init(_ said: [String: Double], models: Int) throws(MergeError) {
        var values: [String: Double] = [:]
        for parameter in MergeMethod.smile.parameters {
            let value = said[parameter.name] ?? parameter.standard ?? 0
            guard parameter.admits(value) else {
                throw .otherValue(parameter.name, method: "smile", found: value, expected: parameter.expected)
            }
            values[parameter.name] = value
        }
        func whole(_ name: String) -> Int { Int(values[name] ?? 0) }
        gateRank = whole("gate_k")
        rank = whole("k") > 0 ? whole("k") : nil
        chosen = whole("top_k")
        averagesExperts = values["average_experts"] == 1
        guard chosen <= models else { throw .tooFewToChoose(chosen, models: models) }
    }
}
