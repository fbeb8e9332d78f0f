import Checkpoints
import OrderedCollections

/// Matches a description with a checkpoint's tensors and builds the blocks.
struct Resolver {
    let checkpoint: Checkpoint
    let description: ModelDescription
    let reader: ConfigReader
    let modelType: String

    func resolve() throws(ArchitectureError) -> Architecture {
        try reader.refuseUndescribedFeatures()
        let ordered = try reader.dimensions()
        let dimensions = Dictionary(uniqueKeysWithValues: ordered.map { ($0.key, $0.value) })
        let heads = try dimension("heads", dimensions)
        let groups = try dimension("kv_heads", dimensions)
        guard heads % groups == 0 else {
            throw .invalidConfigValue(
                path: checkpoint.path, key: "num_key_value_heads", found: "\(groups)",
                expected: "a divisor of the \(heads) attention heads")
        }
        let layers = try dimension("layers", dimensions)
        let accounting = try TensorAccounting(
            checkpoint: checkpoint, description: description, layers: layers, dimensions: dimensions, reader: reader)
        let builder = BlockBuilder(
            description: description, accounting: accounting, dimensions: dimensions,
            rotary: try reader.rotary(dimensions), activation: try reader.activation())
        var attention: [AttentionBlock] = []
        var mlp: [MLPBlock] = []
        for layer in 0..<layers {
            attention.append(try builder.attention(layer))
            mlp.append(try builder.mlp(layer))
        }
        let isTied = try reader.tiedHead()
        return Architecture(
            family: description.family, modelType: modelType, hiddenSize: try dimension("hidden", dimensions),
            layerCount: layers, dimensions: ordered, attention: attention, mlp: mlp, roles: accounting.roles,
            hasTiedHead: isTied && !accounting.roles.values.contains { $0.name == "head" })
    }

    private func dimension(_ name: String, _ dimensions: [String: Int]) throws(ArchitectureError) -> Int {
        guard let value = dimensions[name] else {
            throw .invalidDescription(family: description.family, field: "dimensions.\(name)")
        }
        return value
    }
}

/// Builds the blocks of a layer from templates.
struct BlockBuilder {
    let description: ModelDescription
    let accounting: TensorAccounting
    let dimensions: [String: Int]
    let rotary: Rotary?
    let activation: Activation

    func attention(_ layer: Int) throws(ArchitectureError) -> AttentionBlock {
        let heads = try dimension("heads")
        let groups = try dimension("kv_heads")
        let length = try dimension("head_dim")
        let hidden = try dimension("hidden")
        let norm = try description.norm.map { template throws(ArchitectureError) in
            QueryKeyNorm(
                query: try stored(template.query, layer), key: try stored(template.key, layer), scope: template.scope)
        }
        func projection(
            _ name: String, outputs: Int, inputs: Int, groupHeads: Int
        ) throws(ArchitectureError) -> Projection {
            try self.projection(description.attention[name], "attention.\(name)", layer, outputs, inputs) { offset in
                HeadLayout(
                    offset: name == "output" ? 0 : offset, groupStride: groupHeads * length, headStride: length,
                    length: length)
            }
        }
        return AttentionBlock(
            name: "layers.\(layer).attention", layer: layer, heads: heads, keyValueHeads: groups,
            headDimension: length, valueHeadDimension: length,
            query: try projection("query", outputs: heads * length, inputs: hidden, groupHeads: heads / groups),
            key: try projection("key", outputs: groups * length, inputs: hidden, groupHeads: 1),
            value: try projection("value", outputs: groups * length, inputs: hidden, groupHeads: 1),
            output: try projection("output", outputs: hidden, inputs: heads * length, groupHeads: heads / groups),
            rotary: rotary, queryKeyNorm: norm)
    }

    func mlp(_ layer: Int) throws(ArchitectureError) -> MLPBlock {
        let hidden = try dimension("hidden")
        let size = try dimension("intermediate")
        let gate = try description.mlp["gate"].map { template throws(ArchitectureError) in
            try projection(template, "mlp.gate", layer, size, hidden) { _ in nil }
        }
        return MLPBlock(
            name: "layers.\(layer).mlp", layer: layer, intermediateSize: size, gate: gate,
            up: try projection(description.mlp["up"], "mlp.up", layer, size, hidden) { _ in nil },
            down: try projection(description.mlp["down"], "mlp.down", layer, hidden, size) { _ in nil },
            activation: activation)
    }

    private func projection(
        _ template: ModelDescription.ProjectionTemplate?, _ field: String, _ layer: Int, _ outputs: Int,
        _ inputs: Int, heads: (Int) -> HeadLayout?
    ) throws(ArchitectureError) -> Projection {
        guard let template, let offset = template.offset.value(in: dimensions) else {
            throw .invalidDescription(family: description.family, field: field)
        }
        return Projection(
            weight: try stored(template.tensor + ".weight", layer),
            bias: accounting.stored(template.tensor + ".bias", layer: layer), outputAxis: template.outputAxis,
            outputOffset: offset, outputCount: outputs, inputCount: inputs, headLayout: heads(offset))
    }

    private func stored(_ template: String, _ layer: Int) throws(ArchitectureError) -> String {
        guard let name = accounting.stored(template, layer: layer) else {
            throw .missingTensor(
                path: accounting.path, tensor: TensorAccounting.fill(template, layer), family: description.family)
        }
        return name
    }

    private func dimension(_ name: String) throws(ArchitectureError) -> Int {
        guard let value = dimensions[name] else {
            throw .invalidDescription(family: description.family, field: "dimensions.\(name)")
        }
        return value
    }
}
