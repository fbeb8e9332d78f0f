extension BlockBuilder {
    func attention(
        _ template: AttentionTemplate, _ name: String, hidden: Int, _ place: Place
    ) throws(ArchitectureError) -> AttentionBlock {
        let heads = try value(template.heads)
        let groups = try value(template.keyValueHeads)
        guard groups > 0, heads % groups == 0 else {
            throw .invalidConfigValue(
                path: claims.path, key: "num_key_value_heads", found: "\(groups)",
                expected: "a divisor of the \(heads) attention heads")
        }
        let (length, valueLength) = (try value(template.headDimension), try value(template.valueHeadDimension))
        _ = try product(heads, max(length, valueLength), key: configKey(of: template.heads))
        let shape = AttentionShape(
            heads: heads, groups: groups, length: length, valueLength: valueLength,
            sharedKey: try template.sharedKeyDimension.map { size throws(ArchitectureError) in try value(size) } ?? 0,
            hidden: hidden, source: try value(template.sourceHidden))
        let queryLatent =
            try holds(template.queryLatentCondition, place)
            ? try latent(template.queryLatent, "query_latent", hidden, extra: 0, place) : nil
        let keyValueLatent = try latent(
            template.keyValueLatent, "key_value_latent", hidden, extra: shape.sharedKey, place)
        let parts = try projections(template, shape, queryLatent, keyValueLatent, place)
        var sharedKey: Projection?
        if let latent = keyValueLatent, shape.sharedKey > 0 {
            let down = latent.down
            sharedKey = Projection(
                weight: down.weight, bias: down.bias, outputOffset: down.outputCount, outputCount: shape.sharedKey,
                inputCount: hidden, storedOutputs: down.storedOutputs,
                headLayout: .init(
                    offset: down.outputCount, groupStride: 0, headStride: 0, length: shape.sharedKey))
        }
        return AttentionBlock(
            name: name, layer: place.weights ?? 0, heads: heads, keyValueHeads: groups, headDimension: shape.length,
            valueHeadDimension: shape.valueLength, query: parts.query, key: parts.key, value: parts.value,
            output: try projection(
                template.output, "output", outputs: hidden, inputs: heads * shape.valueLength, place,
                heads: .init(
                    offset: 0, groupStride: heads / groups * shape.valueLength, headStride: shape.valueLength,
                    length: shape.valueLength)),
            outputGate: template.hasGatedQuery ? try half(template.query, .gate, shape, place) : nil,
            sharedKey: sharedKey, queryLatent: queryLatent, keyValueLatent: keyValueLatent,
            readsEncoder: template.readsEncoder, rotary: try rotary(template, shape, place),
            queryKeyNorm: try queryKeyNorm(template.norm, shape, place), mask: try mask(template, place),
            scale: try (number(template.scale, place) ?? 1 / Double(shape.length).squareRoot())
                * scoreFactor(template, place),
            softCap: try number(template.softCap, place, in: .positive),
            sinks: try template.sinks.map { sinks throws(ArchitectureError) in
                try tensor(sinks, "sinks", [heads], place)
            }, clip: try number(template.clip, place, in: .positive),
            positionBias: try positionBias(template, heads, place),
            temperature: try temperature(template, place),
            probe: try template.probe.map { probe throws(ArchitectureError) in
                try tensor(probe, "probe", [1, 1, hidden], place)
            })
    }

    /// Counts and sizes of an attention block's heads.
    struct AttentionShape {
        let heads: Int
        let groups: Int
        let length: Int
        let valueLength: Int
        let sharedKey: Int
        let hidden: Int
        let source: Int
        var members: Int { heads / groups }
    }

    private typealias Parts = (query: Projection, key: Projection, value: Projection)

    private func projections(
        _ template: AttentionTemplate, _ shape: AttentionShape, _ queryLatent: AttentionBlock.Latent?,
        _ keyValueLatent: AttentionBlock.Latent?, _ place: Place
    ) throws(ArchitectureError) -> Parts {
        let (length, valueLength) = (shape.length, shape.valueLength)
        func separate(
            _ template: ProjectionTemplate?, _ role: String, count: Int, length: Int, inputs: Int, members: Int
        ) throws(ArchitectureError) -> Projection {
            guard let template else {
                throw .invalidDescription(family: description.family, field: "attention.\(role)")
            }
            return try projection(
                template, role, outputs: count * length, inputs: inputs, place,
                heads: .init(offset: 0, groupStride: members * length, headStride: length, length: length))
        }
        if let fused = template.fused { return try fusedProjections(fused, shape, place) }
        if let pair = template.keyValue, let latent = keyValueLatent {
            let keyLength = length - shape.sharedKey
            let stride = keyLength + valueLength
            func half(_ offset: Int, _ length: Int) throws(ArchitectureError) -> Projection {
                try projection(
                    pair, "key_value", outputs: shape.groups * length, inputs: latent.down.outputCount, place,
                    storedOutputs: shape.groups * stride, offset: offset,
                    heads: .init(offset: offset, groupStride: stride, headStride: stride, length: length))
            }
            // Without a latent the query has a tensor of its own name.
            let own = queryLatent == nil ? template.directQuery ?? template.query : template.query
            let query = try separate(
                own, "query", count: shape.heads, length: length,
                inputs: queryLatent?.down.outputCount ?? shape.hidden, members: shape.members)
            return (query, try half(0, keyLength), try half(keyLength, valueLength))
        }
        let query =
            template.hasGatedQuery
            ? try half(template.query, .query, shape, place)
            : try separate(
                template.query, "query", count: shape.heads, length: length, inputs: shape.hidden,
                members: shape.members)
        return (
            query,
            try separate(template.key, "key", count: shape.groups, length: length, inputs: shape.source, members: 1),
            try separate(
                template.value, "value", count: shape.groups, length: valueLength, inputs: shape.source, members: 1)
        )
    }

    private enum Half { case query, gate }

    /// Of a tensor that holds for each head its queries, then the gate on its output.
    private func half(
        _ template: ProjectionTemplate?, _ half: Half, _ shape: AttentionShape, _ place: Place
    ) throws(ArchitectureError) -> Projection {
        guard let template, shape.length == shape.valueLength else {
            throw .invalidDescription(family: description.family, field: "attention.gated_query")
        }
        let stride = 2 * shape.length
        let offset = half == .query ? 0 : shape.length
        return try projection(
            template, "query_gate", outputs: shape.heads * shape.length, inputs: shape.hidden, place,
            storedOutputs: try product(shape.heads, stride, key: "head_dim"), offset: offset,
            heads: .init(
                offset: offset, groupStride: shape.members * stride, headStride: stride, length: shape.length))
    }

    private func fusedProjections(
        _ fused: AttentionTemplate.Fused, _ shape: AttentionShape, _ place: Place
    ) throws(ArchitectureError) -> Parts {
        let (length, valueLength) = (shape.length, shape.valueLength)
        let (queries, keys) = (shape.heads * length, shape.groups * length)
        let total = queries + keys + shape.groups * valueLength
        func part(_ count: Int, _ layout: HeadLayout) throws(ArchitectureError) -> Projection {
            try projection(
                fused.projection, "query_key_value", outputs: count, inputs: shape.hidden, place, storedOutputs: total,
                offset: layout.offset, heads: layout)
        }
        switch fused.fusion {
        case .stacked:
            return (
                try part(
                    queries, .init(offset: 0, groupStride: shape.members * length, headStride: length, length: length)),
                try part(keys, .init(offset: queries, groupStride: length, headStride: length, length: length)),
                try part(
                    shape.groups * valueLength,
                    .init(
                        offset: queries + keys, groupStride: valueLength, headStride: valueLength, length: valueLength))
            )
        case .perGroup:
            let stride = (shape.members + 1) * length + valueLength
            let first = shape.members * length
            return (
                try part(queries, .init(offset: 0, groupStride: stride, headStride: length, length: length)),
                try part(keys, .init(offset: first, groupStride: stride, headStride: length, length: length)),
                try part(
                    shape.groups * valueLength,
                    .init(offset: first + length, groupStride: stride, headStride: valueLength, length: valueLength))
            )
        }
    }

    /// - Parameter extra: outputs of the map behind the latent ones.
    private func latent(
        _ template: AttentionTemplate.Latent?, _ role: String, _ hidden: Int, extra: Int, _ place: Place
    ) throws(ArchitectureError) -> AttentionBlock.Latent? {
        guard let template else { return nil }
        let rank = try value(template.rank)
        let down = try projection(
            template.down, role, outputs: rank, inputs: hidden, place, storedOutputs: rank + extra)
        guard let norm = try norm(template.norm, [rank], place) else { return nil }
        return .init(down: down, norm: norm)
    }
}
