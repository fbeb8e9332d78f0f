/// What a description says of a model beside its heads: stacks, and tensors that no block names.
extension Fields {
    mutating func stacks() throws(ArchitectureError) -> [Stack] { try dictionary("stacks", Stack.init) }

    private static let roles = [
        "token_embedding", "position_embedding", "type_embedding", "class_embedding", "mask_embedding",
        "patch_embedding", "norm", "pooler", "head", "head_bias", "head_transform", "task_head", "buffer",
    ]

    /// Claims the tensors that stand beside the blocks.
    mutating func claimTensors() throws(ArchitectureError) {
        _ = try objects("tensors") { f throws(ArchitectureError) in try f.claimTensor() }
    }

    private mutating func claimTensor() throws(ArchitectureError) {
        let name = try string("name")
        let role = try word("role", of: Self.roles)
        var shape: [DimensionExpression?]?
        if let axes = try optionalStrings("shape") {
            shape = []
            for axis in axes { shape?.append(axis == "*" ? nil : try expression(axis, "shape")) }
        } else if role != "buffer" {
            throw fault("shape")
        }
        let condition = try condition("when")
        let isOptional = try bool("optional", default: true)
        let isPrefixed = try bool("prefixed", default: true)
        let layers = try optionalExtent("layers") ?? scope.subject?.dimensions["layers"] ?? 0
        let isOfLayers = name.contains("{layer}")
        for layer in 0..<(isOfLayers ? layers : 1) {
            place.weights = isOfLayers ? layer : nil
            place.layer = layer
            guard try holds(condition) else { continue }
            var extents: [Int?]?
            if let shape {
                extents = []
                for axis in shape {
                    extents?.append(try axis.map { axis throws(ArchitectureError) in try extent(axis) })
                }
            }
            var demand = demand(name, role, extents, isPrefixed: isPrefixed)
            demand.isRead = false
            _ = isOptional ? try find(demand) : try require(demand)
        }
    }

    private static let mostCopiedLayers = 16

    /// Claims layers beyond the model's own, which nothing acts on.
    mutating func claimCopiedLayers() throws(ArchitectureError) {
        _ = try objects("copied") { f throws(ArchitectureError) in
            let (path, role, reason) = (try f.string("path"), try f.string("role"), try f.string("reason"))
            let first = try f.extent("first", default: "layers")
            let most = min(try f.extent("count", default: "0"), Self.mostCopiedLayers)
            let isPrefixed = try f.bool("prefixed", default: true)
            guard let claims = f.scope.subject?.claims else { return }
            var count = 0
            for layer in first..<first + most {
                count += claims.claimAll(
                    under: path.filled { $0 == "layer" ? layer : nil }, role: role, layer: layer, isPrefixed: isPrefixed
                )
            }
            guard count > 0 else { return }
            claims.note("\(count) tensors from layer \(first) on are copied as they are: \(reason)")
        }
    }
}
