extension AttentionBlock {
    /// How queries, keys and values are stored.
    private enum Form { case separate, fused, latent }

    init(_ f: inout Fields) throws(ArchitectureError) {
        name = f.place.block
        layer = f.place.weights ?? 0
        f.place.bias = try f.condition("bias", default: false)
        let form = try Self.form(&f)
        let shape = try HeadShape(&f)
        heads = shape.heads
        keyValueHeads = shape.groups
        headDimension = shape.length
        valueHeadDimension = shape.valueLength
        let hidden = f.place.hidden
        queryLatent = try Self.latent("query_latent", &f)
        let latent = try Self.latent("key_value_latent", &f, extra: shape.sharedKey)
        keyValueLatent = latent
        let maps: [Projection]
        switch form {
        case .fused: maps = try Self.fused(shape, &f)
        case .latent:
            guard let latent else { throw f.fault("key_value_latent") }
            let inputs = queryLatent?.down.outputCount ?? hidden
            maps =
                try [shape.query(inputs: inputs, &f)] + Self.pair(shape, inputs: latent.down.outputCount, &f)
        case .separate:
            let queries =
                try f.bool("gated_query", default: false)
                ? Self.gated(shape, &f) : [shape.query(inputs: hidden, &f)]
            maps =
                try [
                    queries[0], shape.map("key", shape.groups, shape.length, inputs: hidden, &f),
                    shape.map("value", shape.groups, shape.valueLength, inputs: hidden, &f),
                ] + queries.dropFirst()
        }
        (query, key, value) = (maps[0], maps[1], maps[2])
        outputGate = maps.count > 3 ? maps[3] : nil
        sharedKey = latent.flatMap { shape.sharedKey(in: $0.down, inputs: hidden) }
        let layout = HeadLayout(
            offset: 0, groupStride: shape.members * shape.valueLength, headStride: shape.valueLength,
            length: shape.valueLength)
        output = try f.map(
            "output", "output", outputs: hidden, inputs: shape.heads * shape.valueLength, heads: layout)
        readsEncoder = try f.bool("reads_encoder", default: false)
        let kind = try RotaryKind.chosen(&f)
        rotary =
            try kind.map { kind throws(ArchitectureError) in try Rotary(kind, f, headDimension: shape.length) }
            ?? nil
        queryKeyNorm = try f.choice("norm", "scope") { f throws(ArchitectureError) in try QueryKeyNorm(&f, shape) }
        mask = try Mask(&f)
        let factor = try f.number("scale") ?? 1 / Double(shape.length).squareRoot()
        scale = try factor * (kind?.scoreFactor(f) ?? 1)
        softCap = try f.number("soft_cap", in: .positive)
        sinks = try f.tensor(at: "sinks", "sinks", [shape.heads])
        clip = try f.number("clip", in: .positive)
        positionBias = try f.choice("position_bias", "kind") { f throws(ArchitectureError) in
            try PositionBias(&f, heads: shape.heads)
        }
        temperature = try f.choice("temperature", "scale", Temperature.init)
        probe = try f.tensor(at: "probe", "probe", [1, 1, hidden])
    }

    private static func form(_ f: inout Fields) throws(ArchitectureError) -> Form {
        let keys: Set = ["query", "key", "value", "query_key_value", "key_value", "key_value_latent", "gated_query"]
        switch keys.filter({ f.has($0) }) {
        case ["query", "key", "value"], ["query", "key", "value", "gated_query"]: return .separate
        case ["query_key_value"]: return .fused
        case ["query", "key_value", "key_value_latent"]: return .latent
        default: throw f.fault
        }
    }

    /// - Parameter extra: outputs of the map behind the latent ones.
    private static func latent(
        _ key: String, _ f: inout Fields, extra: Int = 0
    ) throws(ArchitectureError) -> Latent? {
        let inputs = f.place.hidden
        return try f.choice(key, "down") { f throws(ArchitectureError) in
            let rank = try f.required(try f.optionalExtent("rank"), "rank")
            let down = try f.map("down", key, outputs: rank, inputs: inputs, stored: rank + extra)
            return Latent(down: down, norm: try f.required(try f.norm("norm", [rank]), "norm"))
        }
    }

    /// For each head its queries, then the gate on its output.
    private static func gated(_ shape: HeadShape, _ f: inout Fields) throws(ArchitectureError) -> [Projection] {
        guard shape.length == shape.valueLength else { throw f.fault("gated_query") }
        let stride = 2 * shape.length
        let stored = try f.product(shape.heads, stride, key: "head_dim")
        let maps = try f.projections("query", "query_gate", inputs: f.place.hidden, stored: stored) { _ in
            [0, shape.length].map { offset in
                .heads(
                    shape.heads,
                    .init(
                        offset: offset, groupStride: shape.members * stride, headStride: stride, length: shape.length)
                )
            }
        }
        return try f.required(maps, "query")
    }

    /// For each head its keys but for those that all share, then its values (MLA).
    private static func pair(
        _ shape: HeadShape, inputs: Int, _ f: inout Fields
    ) throws(ArchitectureError) -> [Projection] {
        let keyLength = shape.length - shape.sharedKey
        let stride = keyLength + shape.valueLength
        let maps = try f.projections("key_value", "key_value", inputs: inputs, stored: shape.groups * stride) { _ in
            [(0, keyLength), (keyLength, shape.valueLength)].map { offset, length in
                .heads(
                    shape.groups, .init(offset: offset, groupStride: stride, headStride: stride, length: length))
            }
        }
        return try f.required(maps, "key_value")
    }

    private enum Fusion: String, CaseIterable {
        /// All queries, then all keys, then all values.
        case stacked
        /// For each key/value head its queries, its key, its value.
        case perGroup = "per_group"
    }

    private static func fused(_ shape: HeadShape, _ f: inout Fields) throws(ArchitectureError) -> [Projection] {
        let (members, length, valueLength) = (shape.members, shape.length, shape.valueLength)
        let (queries, keys) = (shape.heads * length, shape.groups * length)
        let stored = queries + keys + shape.groups * valueLength
        let maps = try f.projections("query_key_value", "query_key_value", inputs: f.place.hidden, stored: stored) {
            f throws(ArchitectureError) in
            let fusion: Fusion = try f.word("fusion")
            // Of queries, keys, values: where they begin, what lies between groups, how long a head is.
            let parts: [(offset: Int, stride: Int, length: Int)]
            switch fusion {
            case .stacked:
                parts = [
                    (0, members * length, length), (queries, length, length),
                    (queries + keys, valueLength, valueLength),
                ]
            case .perGroup:
                let stride = (members + 1) * length + valueLength
                parts = [
                    (0, stride, length), (members * length, stride, length),
                    ((members + 1) * length, stride, valueLength),
                ]
            }
            return zip([shape.heads, shape.groups, shape.groups], parts).map { count, part in
                let layout = HeadLayout(
                    offset: part.offset, groupStride: part.stride, headStride: part.length, length: part.length)
                return .heads(count, layout)
            }
        }
        return try f.required(maps, "query_key_value")
    }
}
