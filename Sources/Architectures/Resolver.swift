import Checkpoints
import OrderedCollections

/// Matches a description with a checkpoint's tensors and builds the stacks.
struct Resolver {
    let checkpoint: Checkpoint
    let description: ModelDescription
    let reader: ConfigReader
    let modelType: String

    func resolve() throws(ArchitectureError) -> Architecture {
        try reader.refuseUndescribedFeatures()
        let dimensions = try reader.dimensions()
        let records = try Claims.modernNames(of: checkpoint, description)
        var best: (prefix: String, hits: Int)?
        for prefix in description.prefixes {
            let probe = Claims(
                checkpoint: checkpoint, description: description, records: records, prefix: prefix, isProbe: true)
            _ = try builder(probe, dimensions).stacks(layerLimit: 1)
            if probe.hits > best?.hits ?? -1 { best = (prefix, probe.hits) }
        }
        let claims = Claims(
            checkpoint: checkpoint, description: description, records: records, prefix: best?.prefix ?? "",
            isProbe: false)
        let builder = builder(claims, dimensions)
        let stacks = try builder.stacks(layerLimit: .max)
        let head = try builder.head(stacks)
        try builder.extras()
        let roles = try claims.roles(of: checkpoint, description)
        let isTied = try reader.tiedHead()
        return Architecture(
            family: description.family, modelType: modelType, dimensions: dimensions, stacks: stacks, head: head,
            roles: roles, hasTiedHead: isTied && !roles.values.contains { $0.name == "head" })
    }

    private func builder(_ claims: Claims, _ dimensions: OrderedDictionary<String, Int>) -> BlockBuilder {
        BlockBuilder(
            description: description, reader: reader, claims: claims,
            dimensions: Dictionary(uniqueKeysWithValues: dimensions.map { ($0.key, $0.value) }))
    }
}
