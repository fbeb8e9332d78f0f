import Architectures

extension Architecture {
    /// What norms, gates, rotations and clamps forbid, and why: one sentence each. Derived from the blocks, as sites are.
    public var limits: [String] {
        var limits: [String] = []
        let streams = residualStreams.flatMap { [$0.limit, $0.turnLimit].compactMap(\.self) }
        for limit in attention.flatMap(\.limits) + mlp.flatMap(\.limits) + streams
        where !limits.contains(limit) {
            limits.append(limit)
        }
        return limits
    }
}

extension AttentionBlock {
    fileprivate var limits: [String] {
        var limits: [String] = []
        if clip != nil {
            limits.append("clamped queries, keys and values keep signs and permutations alone")
        }
        if outputGate != nil {
            limits.append("a gate on each channel of the attention's output: values keep permutations and scales alone")
        }
        guard let norm = queryKeyNorm else {
            if rotary != nil, sharedKey == nil, clip == nil {
                limits.append("rotary embedding leaves queries and keys one complex number per pair")
            } else if sharedKey != nil {
                limits.append("all heads share the rotated key: one torus for the block")
            }
            return limits
        }
        let parts = norm.query + norm.key
        if parts.contains(where: { $0.kind == .layer }) {
            limits.append("a norm on queries and keys that subtracts their mean mixes channels: no site")
        } else if let rotary, rotary.dimensions < headDimension {
            limits.append("a norm over rotated and other channels of a head together: no site on queries and keys")
        } else if norm.isAfterRotary {
            limits.append("a norm behind the rotation keeps phases and forbids scales")
        } else {
            limits.append("a norm with gains between projection and rotation leaves queries and keys one sign per pair")
            if parts.contains(where: { $0.gainOffset != 0 }) {
                limits.append("gains stored as offsets from one cannot be scaled into each other")
            }
        }
        return limits
    }
}

extension MLPBlock {
    fileprivate var limits: [String] {
        if series != nil { return ["hidden channels with polynomials of their own stay where they are"] }
        if clamp != nil { return ["gate and up are clamped: channels are permuted, never scaled"] }
        if gate != nil { return ["the gate's nonlinearity: scales on up and down alone"] }
        if activation.isPositivelyHomogeneous { return ["\(activation.rawValue): positive scales alone"] }
        return ["\(activation.rawValue) without a gate: channels are permuted, never scaled"]
    }
}
