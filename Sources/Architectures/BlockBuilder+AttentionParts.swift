/// What stands beside an attention block's projections: rotation, norms, mask, biases.
extension BlockBuilder {
    func rotary(
        _ template: AttentionTemplate, _ shape: AttentionShape, _ place: Place
    ) throws(ArchitectureError) -> Rotary? {
        guard let rotary = try rotaryTemplate(template, place) else { return nil }
        var count = try value(rotary.dimensions)
        var key = configKey(of: rotary.dimensions)
        if let fraction = rotary.fraction {
            let whole = try value(rotary.fractionOf)
            if let share = try number(fraction, in: .share) {
                let shared = Int(Double(whole) * share)
                guard count == whole || count == shared else {
                    throw .contradiction(
                        path: claims.path, key: "partial_rotary_factor", found: "\(share) of \(whole) channels",
                        other: key, otherFound: "\(count)")
                }
                count = shared
                key = "partial_rotary_factor"
            } else if count != whole, reader.lookup("partial_rotary_factor") != nil {
                // To transformers a null keeps the other spelling from being read.
                throw reader.invalid("partial_rotary_factor", .null, expected: NumberDomain.share.expected)
            }
        }
        let offset = try value(rotary.offset)
        guard offset + count <= shape.length else {
            throw .invalidConfigValue(
                path: claims.path, key: key, found: "such that \(count) channels are rotated",
                expected: "at most the \(shape.length) channels of a head")
        }
        return try reader.rotary(rotary, dimensions: count, offset: offset, key: key)
    }

    func rotaryTemplate(
        _ template: AttentionTemplate, _ place: Place
    ) throws(ArchitectureError) -> RotaryTemplate? {
        for choice in template.rotary where try holds(choice.condition, place) {
            if let rotary = description.rotaries[choice.name] { return rotary }
        }
        return nil
    }

    func scoreFactor(_ template: AttentionTemplate, _ place: Place) throws(ArchitectureError) -> Double {
        guard let rotary = try rotaryTemplate(template, place), rotary.scalesScores else { return 1 }
        return try reader.scoreFactor(rotary)
    }

    func queryKeyNorm(
        _ template: AttentionTemplate.QueryKeyNorms?, _ shape: AttentionShape, _ place: Place
    ) throws(ArchitectureError) -> QueryKeyNorm? {
        guard let template, try holds(template.condition, place) else { return nil }
        let scope = template.scope
        func norms(_ template: NormTemplate, _ role: String, _ heads: Int) throws(ArchitectureError) -> [Norm] {
            let perHead = template.tensor?.contains("{head}") ?? false
            let extent: [Int] =
                switch scope {
                case .projection: [heads * shape.length]
                case .eachHead where !perHead: [heads, shape.length]
                default: [shape.length]
                }
            var norms: [Norm] = []
            for head in 0..<(perHead && !claims.isProbe ? heads : 1) {
                var place = place
                place.head = head
                if let norm = try norm(template, extent, place, role: role) { norms.append(norm) }
            }
            return norms
        }
        return QueryKeyNorm(
            scope: template.scope, query: try norms(template.query, "query_norm", shape.heads),
            key: try norms(template.key, "key_norm", shape.groups), isAfterRotary: template.isAfterRotary)
    }

    func mask(
        _ template: AttentionTemplate, _ place: Place
    ) throws(ArchitectureError) -> AttentionBlock.Mask {
        func size(_ reference: NumberReference?, _ condition: Condition) throws(ArchitectureError) -> Int? {
            guard try holds(condition, place), let size = try number(reference, place, in: .count) else {
                return nil
            }
            // No sequence is so long that it would be cut.
            return size < Double(ConfigReader.largestDimension) ? Int(size) : nil
        }
        return .init(
            isCausal: try isCausal(template, place), window: try size(template.window, template.windowCondition),
            chunk: try size(template.chunk, template.chunkCondition))
    }

    /// Whether a query sees earlier positions alone: as the family has it, unless config.json says otherwise by `is_causal`.
    private func isCausal(_ template: AttentionTemplate, _ place: Place) throws(ArchitectureError) -> Bool {
        let isDecoder = try holds(template.isCausal, place)
        guard let found = reader.lookup("is_causal"), !found.isNull else { return isDecoder }
        guard let isCausal = found.bool else { throw reader.invalid("is_causal", found, expected: "true or false") }
        func refused(_ reason: String) -> ArchitectureError {
            .refusedFeature(path: claims.path, key: "is_causal", found: found.serialized(), reason: reason)
        }
        guard description.stacks.count == 1 else {
            throw refused("transformers reads it for encoder and decoder alike; leave it out")
        }
        guard isDecoder || !isCausal else {
            throw refused(
                "transformers masks this encoder by one of its attention kernels and not by another; leave it out")
        }
        // transformers makes masks of chunks without asking.
        let isChunked = try holds(template.chunkCondition, place) && template.chunk != nil
        return isDecoder && (isCausal || isChunked)
    }

    func positionBias(
        _ template: AttentionTemplate, _ heads: Int, _ place: Place
    ) throws(ArchitectureError) -> AttentionBlock.PositionBias? {
        guard let bias = template.positionBias, try holds(template.positionBiasCondition, place) else { return nil }
        switch bias {
        case .alibi(let isRounded): return .alibi(isRounded: isRounded)
        case .relative(let tensor, let buckets, let distance, let isBidirectional):
            let (count, reach) = (try value(buckets), try value(distance))
            // Half of the buckets of either direction hold one distance each, the others grow up to the largest.
            let share = isBidirectional ? 4 : 2
            guard count >= share, count / share < reach else {
                throw .invalidConfigValue(
                    path: claims.path, key: configKey(of: buckets), found: "\(count) for distances up to \(reach)",
                    expected: "at least \(share) buckets, and distances beyond \(max(count / share, 1))")
            }
            return .relative(
                tensor: try self.tensor(tensor + ".weight", "position_bias", [count, heads], place), buckets: count,
                maximumDistance: reach, isBidirectional: isBidirectional)
        }
    }

    func temperature(
        _ template: AttentionTemplate, _ place: Place
    ) throws(ArchitectureError) -> AttentionBlock.Temperature? {
        guard let temperature = template.temperature, try holds(temperature.condition, place),
            let scale = try number(temperature.scale), let floor = try number(temperature.floor, in: .positive)
        else { return nil }
        return .init(scale: scale, floor: floor)
    }
}
