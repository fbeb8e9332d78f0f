extension Stack {
    private static let mostSharedLayers = 1 << 12

    /// Nil where the model lacks it: a checkpoint of the encoder alone.
    init?(_ f: inout Fields, name: String, layerLimit: Int) throws(ArchitectureError) {
        guard try f.holds("when") else {
            f.skip()
            return nil
        }
        self.name = name
        if let norm = try f.object("norm", { f throws(ArchitectureError) in try NormStyle(&f) }) {
            f.place.norm = norm
        }
        f.place.sizes = try Place.Sizes(&f)
        let hidden = try f.extent(DimensionExpression(text: f.place.sizes.hidden))
        hiddenSize = hidden
        f.place.hidden = hidden
        embedding = try f.required(
            try f.object("embedding") { f throws(ArchitectureError) in try Embedding(&f) }, "embedding")
        layers = try Self.layers(
            &f, prefix: (f.scope.subject?.description.stackCount ?? 1) > 1 ? name + "." : "", layerLimit)
        finalNorm = try f.norm("final_norm", [hidden])
        let size = try f.optionalExtent("final_projection_size") ?? hidden
        finalProjection = try f.projection("final_projection", "output", outputs: size, inputs: hidden)
    }

    private static func layers(
        _ f: inout Fields, prefix: String, _ limit: Int
    ) throws(ArchitectureError) -> [Layer] {
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
        for layer in 0..<min(count, limit) {
            // transformers: int(layer / (layers / groups)).
            let weights = min(layer * distinct / count, distinct - 1)
            var copy = f
            copy.place.path = path
            copy.place.weights = weights
            copy.place.layer = layer
            let name = "\(prefix)layers.\(weights)"
            let sublayers = try copy.dictionary("layer") { block, f throws(ArchitectureError) in
                try Sublayer(&f, name: "\(name).\(block)")
            }
            layers.append(Layer(isParallel: try copy.holds(isParallel), sublayers: sublayers))
        }
        guard f.take("layer") != nil else { throw f.fault("layer") }
        return layers
    }
}

extension Sublayer {
    private enum Kind: String, CaseIterable { case attention, mlp, experts, opaque }

    /// Nil in layers that lack it.
    init?(_ f: inout Fields, name: String) throws(ArchitectureError) {
        guard try f.holds("when") else {
            f.skip()
            return nil
        }
        let kind: Kind = try f.word("kind")
        switch kind {
        case .attention: operation = .attention(try AttentionBlock(&f, name: name))
        case .mlp: operation = .mlp(try MLPBlock(&f, name: name))
        case .experts: operation = .experts(try ExpertsBlock(&f, name: name))
        case .opaque: operation = .opaque(try OpaqueBlock(&f, name: name))
        }
        let shape = [f.place.hidden]
        before = try f.norm("before", shape)
        after = try f.norm("after", shape)
        residual = try f.norm("residual_norm", shape)
        scale = try f.optionalString("layer_scale").map { name throws(ArchitectureError) in
            try f.tensor(name, "norm", shape)
        }
        multiplier = try f.number("multiplier") ?? 1
    }
}

extension OpaqueBlock {
    init(_ f: inout Fields, name: String) throws(ArchitectureError) {
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
        self.init(name: name, layer: f.place.weights ?? 0, part: part)
    }
}
