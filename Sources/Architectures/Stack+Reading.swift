extension Stack {
    private static let mostSharedLayers = 1 << 12

    /// Nil where the model lacks it: a checkpoint of the encoder alone.
    init?(_ name: String, _ f: inout Fields) throws(ArchitectureError) {
        guard try f.isMeant() else { return nil }
        self.name = name
        if let norm = try f.object("norm", NormStyle.init) { f.place.norm = norm }
        f.place.sizes = try Place.Sizes(&f)
        let hidden = try f.extent(DimensionExpression(text: f.place.sizes.hidden))
        hiddenSize = hidden
        f.place.hidden = hidden
        embedding = try f.required(object: "embedding", Embedding.init)
        if (f.scope.subject?.description.stackCount ?? 1) > 1 { f.place.block = name + "." }
        layers = try Self.layers(&f)
        finalNorm = try f.norm("final_norm", [hidden])
        let size = try f.optionalExtent("final_projection_size") ?? hidden
        finalProjection = try f.projection("final_projection", "output", outputs: size, inputs: hidden)
    }

    private static func layers(_ f: inout Fields) throws(ArchitectureError) -> [Layer] {
        let counts = try f.expression("layers", default: "layers")
        let sets = try f.expression("distinct_layers", default: counts.text)
        let (count, distinct) = (try f.extent(counts), try f.extent(sets))
        guard distinct > 0, count >= distinct else {
            throw f.invalid(f.configKey(of: sets), "\(distinct)", "at most the \(count) layers")
        }
        // Layers with tensors of their own end at the first tensor that is missing; such as share them have no such end.
        guard count == distinct || count <= Self.mostSharedLayers else {
            throw f.invalid(
                f.configKey(of: counts), "\(count)", "at most \(Self.mostSharedLayers) layers that share weights")
        }
        let path = try f.optionalString("path") ?? ""
        let isParallel = try f.condition("parallel", default: false)
        try f.sort("layer", by: "order")
        var layers: [Layer] = []
        for layer in 0..<min(count, f.scope.layerLimit) {
            // transformers: int(layer / (layers / groups)).
            let weights = min(layer * distinct / count, distinct - 1)
            var copy = f
            copy.place.path = path
            copy.place.weights = weights
            copy.place.layer = layer
            copy.place.block += "layers.\(weights)"
            let sublayers = try copy.dictionary("layer", Sublayer.init)
            layers.append(Layer(isParallel: try copy.holds(isParallel), sublayers: sublayers))
        }
        guard f.take("layer")?.object?.members.isEmpty == false else { throw f.fault("layer") }
        return layers
    }
}

extension Sublayer {
    private enum Kind: String, CaseIterable { case attention, mlp, experts, opaque }

    /// Nil in layers that lack it.
    init?(_ name: String, _ f: inout Fields) throws(ArchitectureError) {
        guard try f.isMeant() else { return nil }
        f.place.block += "." + name
        let kind: Kind = try f.word("kind")
        switch kind {
        case .attention: operation = .attention(try AttentionBlock(&f))
        case .mlp: operation = .mlp(try MLPBlock(&f))
        case .experts: operation = .experts(try ExpertsBlock(&f))
        case .opaque: operation = .opaque(try OpaqueBlock(&f))
        }
        let shape = [f.place.hidden]
        before = try f.norm("before", shape)
        after = try f.norm("after", shape)
        residual = try f.norm("residual_norm", shape)
        scale = try f.tensor(at: "layer_scale", "norm", shape)
        multiplier = try f.number("multiplier") ?? 1
    }
}

extension OpaqueBlock {
    init(_ f: inout Fields) throws(ArchitectureError) {
        let part = try f.string("opaque")
        guard f.scope.vocabulary.parts.contains(part) else { throw f.fault("opaque") }
        let tensors = try f.string("tensors")
        guard tensors.hasSuffix(".") else { throw f.fault("tensors") }
        let path = f.demand(tensors, "opaque", nil).name
        if let claims = f.scope.subject?.claims {
            guard claims.claimAll(under: path, part: part, layer: f.place.weights) > 0 || claims.isProbe else {
                throw .missingTensor(path: claims.path, tensor: claims.prefix + path + "*", family: f.scope.family)
            }
        }
        self.init(name: f.place.block, layer: f.place.weights ?? 0, part: part)
    }
}
