extension BlockBuilder {
    private static let mostSharedLayers = 1 << 12

    func stacks(layerLimit: Int) throws(ArchitectureError) -> [Stack] {
        var stacks: [Stack] = []
        for template in description.stacks where try holds(template.condition, Place()) {
            stacks.append(try stack(template, layerLimit: layerLimit))
        }
        return stacks
    }

    private func stack(_ template: StackTemplate, layerLimit: Int) throws(ArchitectureError) -> Stack {
        let hidden = try value(template.hidden)
        let embedding = try self.embedding(template.embedding)
        let count = try value(template.layers)
        let distinct = try value(template.distinctLayers)
        guard distinct > 0, count >= distinct else {
            throw .invalidConfigValue(
                path: claims.path, key: configKey(of: template.distinctLayers), found: "\(distinct)",
                expected: "at most the \(count) layers")
        }
        // Layers with tensors of their own end at the first tensor that is missing; such as share them have no such end.
        guard count == distinct || count <= Self.mostSharedLayers else {
            throw .invalidConfigValue(
                path: claims.path, key: configKey(of: template.layers), found: "\(count)",
                expected: "at most \(Self.mostSharedLayers) layers that share weights")
        }
        var layers: [Layer] = []
        for layer in 0..<min(count, layerLimit) {
            // transformers: int(layer / (layers / groups)).
            let weights = min(layer * distinct / count, distinct - 1)
            let prefix = description.stacks.count > 1 ? template.name + "." : ""
            layers.append(
                try self.layer(
                    template.sublayers, isParallel: template.isParallel, name: "\(prefix)layers.\(weights)",
                    hidden: hidden,
                    Place(weights: weights, layer: layer)))
        }
        let finalNorm = try norm(template.finalNorm, [hidden], Place())
        var finalProjection: Projection?
        if let projection = template.finalProjection, try holds(projection.condition, Place()) {
            let size =
                try template.finalProjectionSize.map { size throws(ArchitectureError) in try value(size) } ?? hidden
            finalProjection = try self.projection(projection, "output", outputs: size, inputs: hidden, Place())
        }
        return Stack(
            name: template.name, hiddenSize: hidden, embedding: embedding, layers: layers, finalNorm: finalNorm,
            finalProjection: finalProjection)
    }

    func layer(
        _ templates: [SublayerTemplate], isParallel: Condition, name: String, hidden: Int, _ place: Place
    ) throws(ArchitectureError) -> Layer {
        var sublayers: [Sublayer] = []
        for template in templates where try holds(template.condition, place) {
            var place = place
            place.path = template.path
            let name = "\(name).\(template.name)"
            let operation: Sublayer.Operation =
                switch template.operation {
                case .attention(let attention): .attention(try self.attention(attention, name, hidden: hidden, place))
                case .mlp(let mlp): .mlp(try self.mlp(mlp, name, place))
                case .experts(let experts): .experts(try self.experts(experts, name, hidden: hidden, place))
                case .opaque(let opaque): .opaque(try self.opaque(opaque, name, place))
                }
            sublayers.append(
                Sublayer(
                    operation: operation, before: try norm(of: template.before, [hidden], place),
                    after: try norm(template.after, [hidden], place),
                    residual: try norm(template.residual, [hidden], place),
                    scale: try template.scale.map { scale throws(ArchitectureError) in
                        try tensor(scale, "norm", [hidden], place)
                    }, multiplier: try number(template.multiplier, place) ?? 1))
        }
        return Layer(isParallel: try holds(isParallel, place), sublayers: sublayers)
    }
}
