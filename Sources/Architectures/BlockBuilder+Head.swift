extension BlockBuilder {
    func head(_ stacks: [Stack]) throws(ArchitectureError) -> Head {
        let language =
            try description.language.map { template throws(ArchitectureError) in
                try languageHead(template, stacks)
            } ?? nil
        var found: Classifier?
        for template in description.classifiers {
            let classifier = try classifier(template)
            found = found ?? classifier
        }
        if let found { return .classifier(found) }
        if let language { return .language(language) }
        if let template = description.contrastive { return .contrastive(try contrastive(template)) }
        return .none
    }

    private func languageHead(
        _ template: LanguageTemplate, _ stacks: [Stack]
    ) throws(ArchitectureError) -> LanguageHead? {
        let place = Place()
        let (size, vocabulary) = (try value(template.size), try value(template.vocabulary))
        let isTied = try reader.tiedHead()
        let isNamed = reader.className(endsWith: template.classes)
        let own = demand(
            template.projection.weight, "head", [vocabulary, size], place, isPrefixed: template.projection.isPrefixed)
        var weight = try claims.find(own)
        if weight == nil, isNamed, !isTied {
            // A decoder saved for its states alone; a head with parts of its own is incomplete.
            guard description.stacks.count == 1, template.transform == nil else { throw claims.missing(own) }
            claims.note(
                "no output head (\(template.projection.weight)) is stored, though the class named in config.json has one: the model is taken for its hidden states"
            )
        }
        // A head that is stored is used as it is: transformers ties it to the embedding only where the two are equal.
        if weight == nil, isTied, case .tokens(let embedding)? = stacks.last?.embedding,
            isNamed || !reader.namesClasses
        {
            weight = embedding.tokens
        }
        var step: HeadStep?
        if let transform = template.transform {
            step = try self.step(transform, "head_transform")
        }
        var bias: String?
        for name in [template.projection.biasName] + template.biasAliases
        where try holds(template.projection.bias, place) {
            let shapes = [[vocabulary], [1, vocabulary]]
            let stored = claims.shape(ofTensor: name, isPrefixed: template.projection.isPrefixed)
            let found = try claims.find(
                demand(
                    name, "head_bias", shapes.first { $0 == stored } ?? [vocabulary], place,
                    isPrefixed: template.projection.isPrefixed))
            bias = bias ?? found
        }
        guard let weight, template.transform == nil || step != nil else { return nil }
        let multiplier = try number(isTied ? template.tiedMultiplier : nil) ?? 1
        return LanguageHead(
            transform: step,
            head: Projection(weight: weight, bias: bias, outputCount: vocabulary, inputCount: size),
            multiplier: try multiplier * (number(template.multiplier) ?? 1),
            softCap: try number(template.softCap, in: .positive))
    }

    /// Nil unless all of it is there; what is there is claimed in any case.
    private func step(_ template: HeadStepTemplate, _ role: String) throws(ArchitectureError) -> HeadStep? {
        let place = Place()
        let inputs = try value(template.inputs)
        var count = try template.outputs.map { size throws(ArchitectureError) in try value(size) }
        let isPrefixed = template.projection.isPrefixed
        let weight = try claims.find(
            demand(template.projection.weight, role, [count, inputs], place, isPrefixed: isPrefixed))
        if count == nil { count = weight.flatMap { claims.shape(ofStored: $0)?.first } }
        var bias: String?
        if try holds(template.projection.bias, place) {
            bias = try claims.find(demand(template.projection.biasName, role, [count], place, isPrefixed: isPrefixed))
        }
        var norm: Norm?
        if let template = template.norm, let tensor = template.tensor {
            let parts = [tensor + ".weight", tensor + ".bias"]
            var found: [String?] = []
            for part in parts {
                found.append(try claims.find(demand(part, "norm", [count], place, isPrefixed: template.isPrefixed)))
            }
            let hasBias = try holds(template.style.bias, place)
            guard found[0] != nil, !hasBias || found[1] != nil else { return nil }
            norm = try self.norm(template, count.map { [$0] } ?? [], place)
        }
        guard let weight, let count else { return nil }
        return HeadStep(
            projection: Projection(weight: weight, bias: bias, outputCount: count, inputCount: inputs),
            activation: try template.activation.map { activation throws(ArchitectureError) in
                try self.activation(activation)
            }, norm: norm)
    }

    /// Nil unless the last step is there.
    private func classifier(_ template: ClassifierTemplate) throws(ArchitectureError) -> Classifier? {
        var steps: [HeadStep?] = []
        for step in template.steps { steps.append(try self.step(step, "task_head")) }
        guard reader.className(endsWith: template.classes),
            steps.allSatisfy({ $0 != nil }), try holds(template.condition, Place())
        else { return nil }
        let defaults = description.specialTokens
        let token: Int? =
            switch template.pooling {
            case .last: try reader.token("pad_token_id", default: defaults.padding)
            case .endOfText: try reader.token("eos_token_id", default: defaults.end)
            default: nil
            }
        return Classifier(
            pooling: template.pooling, steps: steps.compactMap(\.self), token: token,
            decoderStart: try decoderStart(defaults))
    }

    private func decoderStart(
        _ defaults: ModelDescription.SpecialTokens
    ) throws(ArchitectureError) -> Classifier.DecoderStart? {
        if defaults.startsWithLast {
            return try reader.token("pad_token_id", default: defaults.padding).map { .last(padding: $0) }
        }
        return try reader.token("decoder_start_token_id", default: defaults.decoderStart).map { .token($0) }
    }

    private func contrastive(_ template: ContrastiveTemplate) throws(ArchitectureError) -> Contrastive {
        func tower(_ template: ContrastiveTemplate.Tower) throws(ArchitectureError) -> Contrastive.Tower {
            let inputs = try value(template.inputs)
            let pooling: Contrastive.Pooling =
                switch template.pooling {
                case "first": .first
                case "last": .last
                case "end_of_text": .endOfText(reader.endOfText)
                default:
                    .attention(
                        try layer(
                            template.pooler, isParallel: Condition(constant: false), name: "\(template.stack).pooler",
                            hidden: inputs, Place()))
                }
            return Contrastive.Tower(
                stack: template.stack, pooling: pooling,
                projection: try template.projection.map { projection throws(ArchitectureError) in
                    try self.projection(
                        projection, "task_head", outputs: try value(template.outputs), inputs: inputs, Place())
                })
        }
        var shape: [Int] = []
        for axis in template.scaleShape { shape.append(try value(axis)) }
        return Contrastive(
            text: try tower(template.text), image: try tower(template.image),
            scale: try tensor(template.scale, "task_head", shape, Place()),
            bias: try template.bias.map { bias throws(ArchitectureError) in
                try tensor(bias, "task_head", shape, Place())
            })
    }

    /// Claims layers beyond the model's own, which nothing acts on.
    func copiedLayers() throws(ArchitectureError) {
        for template in description.copied {
            let first = try value(template.first)
            var count = 0
            for layer in first..<first + min(try value(template.count), Self.mostCopiedLayers) {
                count += claims.claimAll(
                    under: template.path.filled { $0 == "layer" ? layer : nil }, role: template.role, layer: layer,
                    isPrefixed: template.isPrefixed)
            }
            guard count > 0 else { continue }
            claims.note("\(count) tensors from layer \(first) on are copied as they are: \(template.reason)")
        }
    }

    private static let mostCopiedLayers = 16

    /// Claims the tensors that stand beside the blocks.
    func extras() throws(ArchitectureError) {
        for template in description.tensors {
            let layers = try template.layers.map { layers throws(ArchitectureError) in try value(layers) }
            let count = template.name.contains("{layer}") ? layers ?? dimensions["layers"] ?? 0 : 1
            for layer in 0..<count {
                let place = Place(weights: template.name.contains("{layer}") ? layer : nil, layer: layer)
                guard try holds(template.condition, place) else { continue }
                var shape: [Int?]?
                if let axes = template.shape {
                    var extents: [Int?] = []
                    for axis in axes {
                        extents.append(try axis.map { axis throws(ArchitectureError) in try value(axis) })
                    }
                    shape = extents
                }
                var demand = demand(template.name, template.role, [], place, isPrefixed: template.isPrefixed)
                demand = .init(
                    name: demand.name, role: demand.role, layer: demand.layer, shape: shape,
                    isPrefixed: template.isPrefixed, isRead: false)
                if template.presence == .required {
                    _ = try claims.require(demand)
                } else {
                    _ = try claims.find(demand)
                }
            }
        }
    }
}
