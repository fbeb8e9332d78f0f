/// The names of a stored linear map, of which one or several projections take their outputs.
struct StoredMap {
    let weight: String
    let biasName: String
    let bias: Condition
    /// Stored as (in, out) instead of (out, in).
    let isTransposed: Bool
    /// All experts in one tensor with a further axis in front.
    let isStacked: Bool
    let isPrefixed: Bool

    init(_ f: inout Fields) throws(ArchitectureError) {
        // "c_attn" is short for "c_attn.weight" and "c_attn.bias".
        if let tensor = try f.optionalString("tensor") {
            weight = tensor + ".weight"
            biasName = tensor + ".bias"
        } else {
            weight = try f.string("weight")
            biasName = try f.optionalString("bias_tensor") ?? weight + "_bias"
        }
        bias = try f.condition("bias", default: f.place.bias)
        isTransposed = try f.bool("transposed", default: false)
        isStacked = try f.bool("stacked", default: false)
        isPrefixed = try f.bool("prefixed", default: true)
    }
}

extension Projection {
    /// Where a projection's outputs lie among those that are stored.
    struct Share {
        let count: Int
        var offset = 0
        var stride = 1
        var heads: HeadLayout?

        static func heads(_ count: Int, _ layout: HeadLayout) -> Share {
            Share(count: count * layout.length, offset: layout.offset, heads: layout)
        }
    }

    /// - Parameter stored: outputs of all maps in the tensor.
    init(
        _ map: StoredMap, _ f: Fields, _ role: String, inputs: Int, stored: Int, _ share: Share
    ) throws(ArchitectureError) {
        var f = f
        let expert = map.isStacked ? f.place.expert : nil
        if map.isStacked { f.place.expert = nil }
        let front = map.isStacked ? [f.place.experts] : []
        let weight = try f.tensor(
            map.weight, role, front + (map.isTransposed ? [inputs, stored] : [stored, inputs]),
            isPrefixed: map.isPrefixed)
        var bias: String?
        if try f.holds(map.bias) {
            bias = try f.tensor(map.biasName, role, front + [stored], isPrefixed: map.isPrefixed)
        }
        self.init(
            weight: weight, bias: bias, outputAxis: map.isTransposed ? 1 : 0, outputOffset: share.offset,
            outputStride: share.stride, outputCount: share.count, inputCount: inputs, storedOutputs: stored,
            expert: expert, headLayout: share.heads)
    }
}

extension Fields {
    /// The projections that share a stored map.
    mutating func projections(
        _ key: String, _ role: String, inputs: Int, stored: Int,
        _ shares: (inout Fields) throws(ArchitectureError) -> [Projection.Share]
    ) throws(ArchitectureError) -> [Projection]? {
        try choice(key, "tensor") { f throws(ArchitectureError) in
            let shares = try shares(&f)
            let map = try StoredMap(&f)
            var projections: [Projection] = []
            for share in shares {
                projections.append(try Projection(map, f, role, inputs: inputs, stored: stored, share))
            }
            return projections
        }
    }

    /// A projection that must be there.
    mutating func map(
        _ key: String, _ role: String, outputs: Int, inputs: Int, stored: Int? = nil, heads: HeadLayout? = nil
    ) throws(ArchitectureError) -> Projection {
        try required(
            try projection(key, role, outputs: outputs, inputs: inputs, stored: stored, heads: heads), key)
    }

    mutating func projection(
        _ key: String, _ role: String, outputs: Int, inputs: Int, stored: Int? = nil, heads: HeadLayout? = nil
    ) throws(ArchitectureError) -> Projection? {
        try projections(key, role, inputs: inputs, stored: stored ?? outputs) { _ in
            [.init(count: outputs, heads: heads)]
        }?[0]
    }
}
