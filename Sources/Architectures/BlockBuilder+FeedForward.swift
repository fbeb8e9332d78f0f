extension BlockBuilder {
    func mlp(
        _ template: MLPTemplate, _ name: String, _ place: Place, experts: Int? = nil
    ) throws(ArchitectureError) -> MLPBlock {
        let hidden = try value(template.hidden)
        let size = try value(template.intermediate)
        var gate: Projection?
        if let template = template.gate, try holds(template.condition, place) {
            gate = try projection(template, "gate", outputs: size, inputs: hidden, place, experts: experts)
        }
        let up: Projection
        if let (fused, fusion) = template.gateUp {
            let alternates = fusion == .alternating
            func half(_ number: Int) throws(ArchitectureError) -> Projection {
                try projection(
                    fused, "gate_up", outputs: size, inputs: hidden, place, storedOutputs: 2 * size,
                    offset: alternates ? number : number * size, stride: alternates ? 2 : 1, experts: experts)
            }
            gate = try half(0)
            up = try half(1)
        } else if let template = template.up {
            up = try projection(template, "up", outputs: size, inputs: hidden, place, experts: experts)
        } else {
            throw .invalidDescription(family: description.family, field: "mlp.up")
        }
        var clamp: MLPBlock.Clamp?
        if let template = template.clamp, let limit = try number(template.limit, in: .positive),
            let alpha = try number(template.alpha)
        {
            clamp = .init(limit: limit, alpha: alpha)
        }
        return MLPBlock(
            name: name, layer: place.weights ?? 0, intermediateSize: size, gate: gate, up: up,
            down: try projection(template.down, "down", outputs: hidden, inputs: size, place, experts: experts),
            activation: try activation(template.activation), clamp: clamp)
    }

    func activation(_ template: ActivationTemplate) throws(ArchitectureError) -> Activation {
        switch template {
        case .family:
            try reader.activation(
                keys: description.activationKeys, standard: description.activationDefault,
                checks: description.activationChecks)
        case .fixed(let activation): activation
        case .config(let keys, let standard): try reader.activation(keys: keys, standard: standard)
        }
    }

    func experts(
        _ template: ExpertsTemplate, _ name: String, hidden: Int, _ place: Place
    ) throws(ArchitectureError) -> ExpertsBlock {
        let count = try value(template.count)
        let chosen = try value(template.chosen)
        let groups = try value(template.groups)
        let chosenGroups = try value(template.chosenGroups)
        guard groups > 0, count % groups == 0, (1...groups).contains(chosenGroups),
            (1...max(1, count / groups * chosenGroups)).contains(chosen)
        else {
            throw .invalidConfigValue(
                path: claims.path, key: "num_experts_per_tok", found: "\(chosen)",
                expected: "at most the experts that can be chosen of \(count) in \(groups) groups")
        }
        var experts: [MLPBlock] = []
        // A probe asks no tensor for its shape, which is what bounds the count.
        for expert in 0..<(claims.isProbe ? min(count, 1) : count) {
            var place = place
            place.expert = expert
            experts.append(try mlp(template.expert, "\(name).\(expert)", place, experts: count))
        }
        return ExpertsBlock(
            name: name, layer: place.weights ?? 0,
            router: try projection(template.router, "router", outputs: count, inputs: hidden, place),
            scoring: template.scoring,
            choiceBias: try template.choiceBias.map { bias throws(ArchitectureError) in
                var shape: [Int] = []
                for axis in bias.shape { shape.append(try value(axis)) }
                return try tensor(bias.name, "router", shape, place)
            }, choiceBiasAxis: max((template.choiceBias?.shape.count ?? 1) - 1, 0), chosen: chosen, groups: groups,
            chosenGroups: chosenGroups,
            groupScore: template.groupScore, normalizes: try holds(template.normalizes, place),
            sumOffset: try number(template.sumOffset, place) ?? 0,
            leastSum: try number(template.leastSum, place) ?? 0, scale: try number(template.scale, place) ?? 1,
            experts: experts,
            shared: try holds(template.sharedCondition, place)
                ? template.shared.map { shared throws(ArchitectureError) in
                    try mlp(shared, "\(name).shared", place)
                } : nil,
            sharedGate: try template.sharedGate.map { gate throws(ArchitectureError) in
                try projection(gate, "router", outputs: 1, inputs: hidden, place)
            })
    }
}
