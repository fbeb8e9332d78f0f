/// Counts and sizes of an attention block's heads.
struct HeadShape {
    let heads: Int
    let groups: Int
    let length: Int
    let valueLength: Int
    /// Channels of a key that all heads share.
    let sharedKey: Int

    /// Query heads of a group.
    var members: Int { heads / groups }

    init(_ f: inout Fields) throws(ArchitectureError) {
        let sizes = f.place.sizes
        let count = try f.expression("heads", default: sizes.heads)
        (heads, groups) = (try f.extent(count), try f.extent("kv_heads", default: sizes.keyValueHeads))
        guard groups > 0, heads % groups == 0 else {
            throw f.invalid("num_key_value_heads", "\(groups)", "a divisor of the \(heads) attention heads")
        }
        let dimension = try f.expression("head_dim", default: sizes.headDimension)
        (length, valueLength) = (try f.extent(dimension), try f.extent("value_head_dim", default: dimension.text))
        _ = try f.product(heads, max(length, valueLength), key: f.configKey(of: count))
        sharedKey = try f.optionalExtent("shared_key_dim") ?? 0
    }

    /// A map to some heads, of `length` channels each.
    func map(
        _ key: String, _ count: Int, _ length: Int, members: Int = 1, inputs: Int, _ f: inout Fields
    ) throws(ArchitectureError) -> Projection {
        let layout = HeadLayout(offset: 0, groupStride: members * length, headStride: length, length: length)
        return try f.map(key, key, outputs: count * length, inputs: inputs, heads: layout)
    }

    func query(inputs: Int, _ f: inout Fields) throws(ArchitectureError) -> Projection {
        try map("query", heads, length, members: members, inputs: inputs, &f)
    }

    /// What lies behind the latent's channels in its map.
    func sharedKey(in down: Projection, inputs: Int) -> Projection? {
        guard sharedKey > 0 else { return nil }
        return Projection(
            weight: down.weight, bias: down.bias, outputOffset: down.outputCount, outputCount: sharedKey,
            inputCount: inputs, storedOutputs: down.storedOutputs,
            headLayout: .init(offset: down.outputCount, groupStride: 0, headStride: 0, length: sharedKey))
    }
}
