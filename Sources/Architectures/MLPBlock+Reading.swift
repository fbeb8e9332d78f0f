extension MLPBlock {
    private enum Fusion: String, CaseIterable {
        /// All gates, then all ups.
        case stacked
        /// Gate, up, gate, up …
        case alternating
    }

    init(_ f: inout Fields) throws(ArchitectureError) {
        name = f.place.block
        layer = f.place.weights ?? 0
        let hidden = f.place.hidden
        f.place.bias = try f.condition("bias", default: false)
        guard f.has("up") != f.has("gate_up"), !(f.has("gate") && f.has("gate_up")) else { throw f.fault("up") }
        let size = try f.extent("intermediate", default: f.place.sizes.intermediate)
        intermediateSize = size
        let gate = try f.projection("gate", "gate", outputs: size, inputs: hidden)
        let both = try f.projections("gate_up", "gate_up", inputs: hidden, stored: 2 * size) {
            f throws(ArchitectureError) in
            let fusion: Fusion = try f.word("fusion", default: .stacked)
            let (distance, stride) = fusion == .alternating ? (1, 2) : (size, 1)
            return [0, distance].map { .init(count: size, offset: $0, stride: stride) }
        }
        self.gate = gate ?? both?[0]
        if let both { up = both[1] } else { up = try f.map("up", "up", outputs: size, inputs: hidden) }
        clamp = try f.choice("clamp", "limit", Clamp.init)
        down = try f.map("down", "down", outputs: hidden, inputs: size)
        if let own = try f.activation("activation") {
            activation = own
        } else {
            activation = try f.familyActivation()
        }
        series = try f.series(of: (self.gate ?? up).weight, channels: size)
    }
}

extension Fields {
    /// The polynomials of the MLP whose first map has this weight, where config.json says that it has some.
    fileprivate func series(of weight: String, channels: Int) throws(ArchitectureError) -> String? {
        guard !isProbe, place.expert == nil, let polynomials = scope.subject?.reader.polynomials,
            let module = PolynomialActivations.module(of: weight),
            let stated = polynomials.modules.first(where: { $0.path == module })
        else { return nil }
        guard stated.channels == channels else {
            throw invalid(
                "\(PolynomialActivations.key).modules", "\(stated.channels) channels for \(module)", "\(channels)")
        }
        return try tensor(
            "^" + PolynomialActivations.series(of: module), "series", [channels, polynomials.columns],
            isPrefixed: false)
    }
}

extension MLPBlock.Clamp {
    init?(_ f: inout Fields) throws(ArchitectureError) {
        guard f.has("limit"), f.has("alpha") else { throw f.fault("limit") }
        let (limit, alpha) = (try f.number("limit", in: .positive), try f.number("alpha"))
        guard let limit, let alpha else { return nil }
        self.init(limit: limit, alpha: alpha)
    }
}

extension ExpertsBlock {
    init(_ f: inout Fields) throws(ArchitectureError) {
        name = f.place.block
        layer = f.place.weights ?? 0
        let hidden = f.place.hidden
        let countExpression = try f.expression("count", default: "experts")
        let count = try f.extent(countExpression)
        chosen = try f.extent(f.expression("chosen_experts", "router"))
        groups = try f.extent("groups", default: "1")
        chosenGroups = try f.extent("chosen_groups", default: "1")
        guard groups > 0, count % groups == 0, 1 <= chosenGroups, chosenGroups <= groups,
            1 <= chosen, chosen <= max(1, count / groups * chosenGroups)
        else {
            throw f.invalid(
                "num_experts_per_tok", "\(chosen)",
                "at most the experts that can be chosen of \(count) in \(groups) groups")
        }
        f.place.experts = count
        var experts: [MLPBlock] = []
        // A probe asks no tensor for its shape, which is what bounds the count.
        for expert in 0..<(f.isProbe ? min(count, 1) : count) {
            var copy = f
            copy.place.expert = expert
            copy.place.block += ".\(expert)"
            experts.append(try copy.required(object: "expert", MLPBlock.init))
        }
        _ = f.take("expert")
        self.experts = experts
        router = try f.map("router", "router", outputs: count, inputs: hidden)
        scoring = try f.word("scoring")
        let choiceBias = try f.object("choice_bias", short: "name") { f throws(ArchitectureError) in
            let shape = try f.extents("shape", default: [countExpression.text])
            return (name: try f.tensor(try f.string("name"), "router", shape), axis: shape.count - 1)
        }
        self.choiceBias = choiceBias?.name
        choiceBiasAxis = max(choiceBias?.axis ?? 0, 0)
        groupScore = try f.word("group_score", default: .sumOfBestTwo)
        normalizes = try f.holds(try f.condition("normalizes", default: false))
        sumOffset = try f.number("sum_offset") ?? 0
        leastSum = try f.number("least_sum") ?? 0
        scale = try f.number("scale") ?? 1
        shared = try f.choice("shared", "up") { f throws(ArchitectureError) in
            f.place.block += ".shared"
            return try MLPBlock(&f)
        }
        sharedGate = try f.projection("shared_gate", "router", outputs: 1, inputs: hidden)
    }
}
