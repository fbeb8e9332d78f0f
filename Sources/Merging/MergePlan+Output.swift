import Architectures
import Checkpoints
import Foundations

extension MergePlan {
    /// Shards of a model whose layers are others than the donor's are no larger than this.
    private static let shardSize = 5_000_000_000
    private static let layerKeys = ["num_hidden_layers", "n_layer", "n_layers", "num_layers"]

    /// The files to be written: the donor's, where its layers stay.
    /// - Parameter producer: what makes a tensor; nil for one that is copied from its first source.
    func output(_ producer: (Item) throws -> (any TensorProducer)?) throws -> OutputPlan {
        var made: [String: OutputTensor] = [:]
        for item in items {
            if let producer = try producer(item) {
                made[item.spec.name] = OutputTensor(item.spec, .made(producer))
            } else if let first = item.inputs.first {
                made[item.spec.name] = OutputTensor(item.spec, .copied(first.tensor, of: first.checkpoint))
            }
        }
        let tensors = items.compactMap { made[$0.spec.name] }
        let dropped: Set = [Checkpoint.manifestName]
        if let stacked {
            let config = try config(stacked)
            if let config { try checkStack(tensors.map(\.spec), config) }
            return .resharded(
                donor, tensors, maximumShardSize: Self.shardSize, adding: [config].compactMap(\.self),
                dropping: dropped)
        }
        let isRetyped = tensors.contains { $0.spec.type != donor.tensors[$0.name]?.type }
        return .replacing(donor, naming: isRetyped ? configuration.outputType : nil, dropping: dropped) {
            made[$0.name] ?? OutputTensor(copying: $0, of: donor)
        }
    }

    /// Layers that stand elsewhere may be none that the family has there, as where their place says which have experts.
    private func checkStack(_ specs: [TensorSpec], _ config: OutputPlan.Generated) throws {
        guard !isByName else { return }
        do {
            _ = try Architecture.resolve(
                Checkpoint(donor, describing: specs, config: JSONDocument(parsing: config.bytes)))
        } catch let error as ArchitectureError {
            throw MergeError.noStack(path: donor.path, reason: "\(error)")
        }
    }

    /// config.json with as many layers as there are, and what it says of each of them.
    private func config(_ stacked: [Int]) throws(MergeError) -> OutputPlan.Generated? {
        guard let root = donor.config?.root.object else { return nil }
        let keys = Self.layerKeys.filter { root[$0]?.int != nil }
        guard let count = keys.first.flatMap({ root[$0]?.int }) else {
            throw .noLayerCount(path: donor.path, keys: Self.layerKeys)
        }
        var members = root
        for member in root.members {
            guard member.key.contains("layer"), let list = member.value.array, list.count == count,
                stacked.allSatisfy(list.indices.contains)
            else { continue }
            members[member.key] = .array(stacked.map { list[$0] })
        }
        for key in keys { members[key] = .int(stacked.count) }
        if let type = configuration.outputType { members = OutputPlan.naming(type, in: members) }
        return OutputPlan.Generated(
            name: "config.json", bytes: Array((JSONValue.object(members).serialized(indented: true) + "\n").utf8))
    }
}
