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
        // Of two tied tensors a file may keep the head alone.
        if tokens == nil, description.stacks.count == 1, let head = description.language,
            reader.className(endsWith: head.classes), try reader.tiedHead()
        {
            tokens = try claims.find(
                demand(
                    head.projection.weight, "token_embedding", [vocabulary, size], place,
                    isPrefixed: head.projection.isPrefixed))
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
        var uncounted: Int?
        if let token = template.uncounted { uncounted = try value(token) }
        if template.positions != nil, let rows = template.positionRows, try value(rows) <= offset {
            throw .invalidConfigValue(
                path: claims.path, key: configKey(of: template.positionOffset),
                found: "such that \(offset) rows of positions are skipped",
                expected: "fewer than the \(try value(rows)) that there are")
        }
        return TokenEmbedding(
            tokens: tokens ?? "",
            positions: try table(template.positions, template.positionRows, "position_embedding"),
            positionOffset: offset, uncounted: uncounted,
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
            leadingAxis: template.leading.contains { $0.shape.count > 1 } ? 1 : 0,
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
}
