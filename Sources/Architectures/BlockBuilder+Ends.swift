import Checkpoints

/// Embeddings, heads and what stands beside the blocks.
extension BlockBuilder {
    func embedding(_ template: EmbeddingTemplate) throws(ArchitectureError) -> Embedding {
        switch template {
        case .tokens(let template): .tokens(try tokens(template))
        case .patches(let template): .patches(try patches(template))
        case .audio(let template): .audio(try audio(template))
        }
    }

    private func tokens(_ template: EmbeddingTemplate.Tokens) throws(ArchitectureError) -> TokenEmbedding {
        let place = Place()
        let (vocabulary, size, hidden) = (
            try value(template.vocabulary), try value(template.size), try value(template.hidden)
        )
        var tokens: String?
        for name in template.tokens {
            let found = try claims.find(demand(name + ".weight", "token_embedding", [vocabulary, size], place))
            // transformers would give encoder and decoder tables of their own.
            if let tokens, let found, !claims.isProbe, !claims.areEqual(tokens, found) {
                throw .ambiguousTensor(path: claims.path, tensor: found, other: tokens)
            }
            tokens = tokens ?? found
        }
        if tokens == nil, let name = template.tokens.first {
            tokens = try tensor(name + ".weight", "token_embedding", [vocabulary, size], place)
        }
        var projection: Projection?
        if let template = template.projection, try holds(template.condition, place) {
            projection = try self.projection(template, "embedding_projection", outputs: hidden, inputs: size, place)
        }
        // Positions join before the projection unless it comes first.
        let width = template.projectsBeforePositions ? hidden : size
        func table(_ name: String?, _ rows: DimensionExpression?, _ role: String) throws(ArchitectureError) -> String? {
            guard let name, let rows else { return nil }
            return try tensor(
                name + ".weight", role,
                [try value(rows), width], place)
        }
        let offset = try value(template.positionOffset)
        if template.positions != nil, let rows = template.positionRows, try value(rows) <= offset {
            throw .invalidConfigValue(
                path: claims.path, key: configKey(of: template.positionOffset),
                found: "such that \(offset) rows of positions are skipped",
                expected: "fewer than the \(try value(rows)) that there are")
        }
        return TokenEmbedding(
            tokens: tokens ?? "",
            positions: try table(template.positions, template.positionRows, "position_embedding"),
            positionOffset: offset,
            types: try table(template.types, template.typeRows, "type_embedding"),
            multiplier: try number(template.multiplier) ?? 1, norm: try norm(template.norm, [width], place),
            projection: projection, projectsBeforePositions: template.projectsBeforePositions, vocabulary: vocabulary)
    }

    private func patches(_ template: EmbeddingTemplate.Patches) throws(ArchitectureError) -> PatchEmbedding {
        let place = Place()
        let (hidden, channels) = (try value(template.hidden), try value(template.channels))
        let (image, patch) = (try value(template.image), try value(template.patch))
        let weight = try tensor(
            template.projection.weight, "patch_embedding", [hidden, channels, patch, patch], place)
        var bias: String?
        if try holds(template.projection.bias, place) {
            bias = try tensor(template.projection.biasName, "patch_embedding", [hidden], place)
        }
        func extents(_ shape: [DimensionExpression]) throws(ArchitectureError) -> [Int] {
            var extents: [Int] = []
            for axis in shape { extents.append(try value(axis)) }
            return extents
        }
        var leading: [String] = []
        for (name, shape) in template.leading {
            leading.append(try tensor(name, "class_embedding", try extents(shape), place))
        }
        return PatchEmbedding(
            patches: Projection(
                weight: weight, bias: bias, outputCount: hidden,
                inputCount: try product(channels, patch, patch, key: configKey(of: template.patch))),
            channels: channels, imageSize: image, patchSize: patch, leading: leading,
            positions: try template.positions.map { name throws(ArchitectureError) in
                try tensor(name, "position_embedding", try extents(template.positionShape), place)
            }, norm: try norm(template.norm, [hidden], place))
    }

    private func audio(_ template: EmbeddingTemplate.Audio) throws(ArchitectureError) -> AudioEmbedding {
        let place = Place()
        let (hidden, bins) = (try value(template.hidden), try value(template.bins))
        func convolution(_ template: ProjectionTemplate, _ inputs: Int) throws(ArchitectureError) -> Projection {
            Projection(
                weight: try tensor(template.weight, "patch_embedding", [hidden, inputs, 3], place),
                bias: try tensor(template.biasName, "patch_embedding", [hidden], place), outputCount: hidden,
                inputCount: 3 * inputs)
        }
        return AudioEmbedding(
            first: try convolution(template.first, bins), second: try convolution(template.second, hidden),
            melBins: bins,
            positions: try tensor(
                template.positions + ".weight", "position_embedding", [try value(template.positionRows), hidden], place)
        )
    }

    // MARK: Heads

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
        if weight == nil, isNamed, !isTied { weight = try claims.require(own) }
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
        return Classifier(pooling: template.pooling, steps: steps.compactMap(\.self))
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
                    isPrefixed: template.isPrefixed)
                if template.presence == .required {
                    _ = try claims.require(demand)
                } else {
                    _ = try claims.find(demand)
                }
            }
        }
    }
}
