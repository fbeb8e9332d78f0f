import Checkpoints

/// Fills a description's templates with a model's dimensions and claims the tensors that they name.
struct BlockBuilder {
    let description: ModelDescription
    let reader: ConfigReader
    let claims: Claims
    let dimensions: [String: Int]

    /// Where a template stands: which layer's tensors, and which layer's flags.
    struct Place {
        var path = ""
        /// The number that `{layer}` stands for; nil outside of layers.
        var weights: Int?
        /// The layer that flags are asked about.
        var layer: Int?
        var expert: Int?
        var head: Int?
    }

    /// No axis is longer; sums of some extents stay far from overflow.
    private static let largestExtent = 1 << 40
    private static let mostSharedLayers = 1 << 12

    // MARK: Small things

    /// The product of extents that come from the config.
    func product(_ factors: Int..., key: String) throws(ArchitectureError) -> Int {
        var result = 1
        for factor in factors {
            let (product, overflow) = result.multipliedReportingOverflow(by: factor)
            guard !overflow, product < Self.largestExtent else {
                throw .invalidConfigValue(
                    path: claims.path, key: key,
                    found: "such that \(factors.map(String.init).joined(separator: " x ")) values stand on one axis",
                    expected: "dimensions of a model")
            }
            result = product
        }
        return result
    }

    /// What config.json calls the first dimension of an expression.
    func configKey(of expression: DimensionExpression) -> String {
        guard let name = expression.names?.first else { return expression.text }
        return description.dimensions.first { $0.name == name }?.keys.first ?? name
    }

    func value(_ expression: DimensionExpression) throws(ArchitectureError) -> Int {
        guard let value = expression.value(in: dimensions), (0..<Self.largestExtent).contains(value) else {
            let names = expression.names ?? []
            let given = names.compactMap { name in dimensions[name].map { "\(name) \($0)" } }.joined(separator: ", ")
            throw .invalidConfigValue(
                path: claims.path, key: names.first ?? expression.text,
                found: "such that \(expression.text) is no whole number in range (\(given))",
                expected: "dimensions that fit each other")
        }
        return value
    }

    func holds(_ condition: Condition, _ place: Place) throws(ArchitectureError) -> Bool {
        try condition.holds { flag throws(ArchitectureError) in
            try reader.flag(flag, layer: place.layer, dimensions: dimensions, claims: claims)
        }
    }

    func number(
        _ reference: NumberReference?, _ place: Place = .init(), in domain: NumberDomain = .any
    ) throws(ArchitectureError) -> Double? {
        switch reference {
        case nil: return nil
        case .literal(let value)?: return value
        case .named(let name)?:
            guard let template = description.numbers[name], try holds(template.condition, place) else { return nil }
            return try reader.number(template, named: name, in: domain, dimensions: dimensions)
        }
    }

    private func name(_ template: String, _ place: Place) -> String {
        var name = template.hasPrefix("^") ? String(template.dropFirst()) : place.path + template
        if let layer = place.weights { name = name.replacing("{layer}", with: "\(layer)") }
        if let expert = place.expert { name = name.replacing("{expert}", with: "\(expert)") }
        if let head = place.head { name = name.replacing("{head}", with: "\(head)") }
        return name
    }

    func tensor(
        _ template: String, _ role: String, _ shape: [Int], _ place: Place, isPrefixed: Bool = true
    ) throws(ArchitectureError) -> String {
        try claims.require(demand(template, role, shape, place, isPrefixed: isPrefixed))
    }

    func demand(
        _ template: String, _ role: String, _ shape: [Int?], _ place: Place, isPrefixed: Bool = true
    ) -> Claims.Demand {
        .init(name: name(template, place), role: role, layer: place.weights, shape: shape, isPrefixed: isPrefixed)
    }

    func norm(
        _ template: NormTemplate?, _ shape: [Int], _ place: Place, role: String = "norm"
    ) throws(ArchitectureError) -> Norm? {
        guard let template, try holds(template.condition, place) else { return nil }
        let style = template.style
        guard let epsilon = try number(style.epsilon, place, in: .nonNegative) else {
            throw .invalidDescription(family: description.family, field: "norm.epsilon")
        }
        var weight: String?
        var bias: String?
        if let tensor = template.tensor, style.hasGain {
            weight = try self.tensor(tensor + ".weight", role, shape, place, isPrefixed: template.isPrefixed)
            if try holds(style.bias, place) {
                bias = try self.tensor(tensor + ".bias", role, shape, place, isPrefixed: template.isPrefixed)
            }
        }
        return Norm(kind: style.kind, weight: weight, bias: bias, epsilon: epsilon, gainOffset: style.gainOffset)
    }

    /// The first whose condition holds.
    private func norm(
        of templates: [NormTemplate], _ shape: [Int], _ place: Place
    ) throws(ArchitectureError) -> Norm? {
        for template in templates {
            if let norm = try norm(template, shape, place) { return norm }
        }
        return nil
    }

    /// A map that is the whole tensor, unless `fused` gives the extent of the stored output axis, with this map's share of it.
    func projection(
        _ template: ProjectionTemplate, _ role: String, outputs: Int, inputs: Int, _ place: Place,
        storedOutputs: Int? = nil, offset: Int = 0, stride: Int = 1, heads: HeadLayout? = nil, experts: Int? = nil
    ) throws(ArchitectureError) -> Projection {
        let extent = storedOutputs ?? outputs
        let front = template.isStacked ? [experts ?? 1] : []
        var outside = place
        if template.isStacked { outside.expert = nil }
        let weight = try tensor(
            template.weight, role, front + (template.isTransposed ? [inputs, extent] : [extent, inputs]), outside,
            isPrefixed: template.isPrefixed)
        var bias: String?
        if try holds(template.bias, place) {
            bias = try tensor(template.biasName, role, front + [extent], outside, isPrefixed: template.isPrefixed)
        }
        return Projection(
            weight: weight, bias: bias, outputAxis: template.isTransposed ? 1 : 0, outputOffset: offset,
            outputStride: stride, outputCount: outputs, inputCount: inputs, storedOutputs: extent,
            expert: template.isStacked ? place.expert : nil, headLayout: heads)
    }

    // MARK: Stacks

    func stacks(layerLimit: Int) throws(ArchitectureError) -> [Stack] {
        var stacks: [Stack] = []
        for template in description.stacks where try holds(template.condition, Place()) {
            stacks.append(try stack(template, layerLimit: layerLimit))
        }
        return stacks
    }

    private func stack(_ template: StackTemplate, layerLimit: Int) throws(ArchitectureError) -> Stack {
        let hidden = try value(template.hidden)
        let embedding = try self.embedding(template.embedding)
        let count = try value(template.layers)
        let distinct = try value(template.distinctLayers)
        guard distinct > 0, count >= distinct else {
            throw .invalidConfigValue(
                path: claims.path, key: configKey(of: template.distinctLayers), found: "\(distinct)",
                expected: "at most the \(count) layers")
        }
        // Layers with tensors of their own end at the first tensor that is missing; such as share them have no such end.
        guard count == distinct || count <= Self.mostSharedLayers else {
            throw .invalidConfigValue(
                path: claims.path, key: configKey(of: template.layers), found: "\(count)",
                expected: "at most \(Self.mostSharedLayers) layers that share weights")
        }
        var layers: [Layer] = []
        for layer in 0..<min(count, layerLimit) {
            // transformers: int(layer / (layers / groups)).
            let weights = min(layer * distinct / count, distinct - 1)
            let prefix = description.stacks.count > 1 ? template.name + "." : ""
            layers.append(
                try self.layer(
                    template.sublayers, isParallel: template.isParallel, name: "\(prefix)layers.\(weights)",
                    hidden: hidden,
                    Place(weights: weights, layer: layer)))
        }
        let finalNorm = try norm(template.finalNorm, [hidden], Place())
        var finalProjection: Projection?
        if let projection = template.finalProjection, try holds(projection.condition, Place()) {
            let size =
                try template.finalProjectionSize.map { size throws(ArchitectureError) in try value(size) } ?? hidden
            finalProjection = try self.projection(projection, "output", outputs: size, inputs: hidden, Place())
        }
        return Stack(
            name: template.name, hiddenSize: hidden, embedding: embedding, layers: layers, finalNorm: finalNorm,
            finalProjection: finalProjection)
    }

    func layer(
        _ templates: [SublayerTemplate], isParallel: Condition, name: String, hidden: Int, _ place: Place
    ) throws(ArchitectureError) -> Layer {
        var sublayers: [Sublayer] = []
        for template in templates where try holds(template.condition, place) {
            var place = place
            place.path = template.path
            let name = "\(name).\(template.name)"
            let operation: Sublayer.Operation =
                switch template.operation {
                case .attention(let attention): .attention(try self.attention(attention, name, hidden: hidden, place))
                case .mlp(let mlp): .mlp(try self.mlp(mlp, name, place))
                case .experts(let experts): .experts(try self.experts(experts, name, hidden: hidden, place))
                }
            sublayers.append(
                Sublayer(
                    operation: operation, before: try norm(of: template.before, [hidden], place),
                    after: try norm(template.after, [hidden], place),
                    residual: try norm(template.residual, [hidden], place),
                    scale: try template.scale.map { scale throws(ArchitectureError) in
                        try tensor(scale, "norm", [hidden], place)
                    }, multiplier: try number(template.multiplier, place) ?? 1))
        }
        return Layer(isParallel: try holds(isParallel, place), sublayers: sublayers)
    }

    // MARK: Feed-forward blocks

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
            try reader.activation(keys: description.activationKeys, standard: description.activationDefault)
        case .fixed(let activation): activation
        case .config(let keys, let standard): try reader.activation(keys: keys, standard: standard)
        }
    }

    private func experts(
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
                try tensor(bias, "router", [count], place)
            }, chosen: chosen, groups: groups, chosenGroups: chosenGroups,
            normalizes: try holds(template.normalizes, place), scale: try number(template.scale, place) ?? 1,
            experts: experts,
            shared: try template.shared.map { shared throws(ArchitectureError) in
                try mlp(shared, "\(name).shared", place)
            },
            sharedGate: try template.sharedGate.map { gate throws(ArchitectureError) in
                try projection(gate, "router", outputs: 1, inputs: hidden, place)
            })
    }
}
