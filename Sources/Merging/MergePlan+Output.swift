import Architectures
import Checkpoints
import Foundations

extension MergePlan {
    /// Shards of a model whose layers are others than the donor's are no larger than this.
    private static let shardSize = 5_000_000_000
    private static let layerKeys = ["num_hidden_layers", "n_layer", "n_layers", "num_layers"]

    /// The files to be written: the donor's, where its layers stay.
    ///
    /// - Parameters:
    ///   - note: told of what becomes of numbers of tokens.
    ///   - producer: what makes a tensor; nil for one that is copied from its first source.
    func output(
        noting note: (String) -> Void, _ producer: (Item) throws -> (any TensorProducer)?
    ) throws -> OutputPlan {
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
        if stacked != nil || vocabulary != nil {
            let config = try config(noting: note)
            if let config { try check(tensors.map(\.spec), config) }
            let files = try (vocabulary?.files.generated ?? []) + [generation()].compactMap(\.self)
            return .resharded(
                donor, tensors, maximumShardSize: Self.shardSize, adding: [config].compactMap(\.self) + files,
                dropping: dropped.union(vocabulary?.files.dropped ?? []))
        }
        let isRetyped = tensors.contains { $0.spec.type != donor.tensors[$0.name]?.type }
        return .replacing(donor, naming: isRetyped ? configuration.outputType : nil, dropping: dropped) {
            made[$0.name] ?? OutputTensor(copying: $0, of: donor)
        }
    }

    /// Layers that stand elsewhere may be none that the family has there, as where their place says which have experts.
    private func check(_ specs: [TensorSpec], _ config: OutputPlan.Generated) throws {
        guard !isByName else { return }
        do {
            _ = try Architecture.resolve(
                Checkpoint(donor, describing: specs, config: JSONDocument(parsing: config.bytes)))
        } catch let error as ArchitectureError {
            throw stacked != nil
                ? MergeError.noStack(path: donor.path, reason: "\(error)")
                : .vocabularyNotStated(path: donor.path, reason: "\(error)")
        }
    }

    /// config.json with as many layers and tokens as there are, and what it says of each of them.
    private func config(noting note: (String) -> Void) throws(MergeError) -> OutputPlan.Generated? {
        guard var members = donor.config?.root.object else { return nil }
        if let stacked { members = try layered(members, stacked) }
        if let vocabulary {
            members = Self.counting(vocabulary.rowCount, in: members)
            members = vocabulary.files.renumbered(members, rowCount: vocabulary.rowCount) { key in
                note("config.json: the token of \(key) has no number in the merged vocabulary; it is null now")
            }
        }
        if let type = configuration.outputType { members = OutputPlan.naming(type, in: members) }
        return Self.file("config.json", members)
    }

    /// generation_config.json with the output's numbers of tokens.
    private func generation() throws -> OutputPlan.Generated? {
        let name = "generation_config.json"
        guard let vocabulary, let members = try donor.document(named: name)?.root.object else { return nil }
        let renumbered = vocabulary.files.renumbered(members, rowCount: vocabulary.rowCount) { _ in }
        return renumbered == members ? nil : Self.file(name, renumbered)
    }

    private static func file(_ name: String, _ members: JSONObject) -> OutputPlan.Generated {
        OutputPlan.Generated(
            name: name, bytes: Array((JSONValue.object(members).serialized(indented: true) + "\n").utf8))
    }

    /// A configuration that says how many rows tables of tokens have, also in its parts that say so.
    private static func counting(_ count: Int, in object: JSONObject) -> JSONObject {
        let (key, part) = ("vocab_size", "text_config")
        var result = object
        if var text = object[part]?.object {
            text[key] = .int(count)
            result[part] = .object(text)
        }
        if object[key] != nil || object[part]?.object == nil { result[key] = .int(count) }
        return result
    }

    private func layered(_ root: JSONObject, _ stacked: [Int]) throws(MergeError) -> JSONObject {
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
        return members
    }
}
