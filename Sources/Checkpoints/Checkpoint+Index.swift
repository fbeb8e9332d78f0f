import OrderedCollections

extension Checkpoint {
    /// The safetensors files that make up the model, in the index's order of names.
    static func shardNames(
        _ path: String, listing: DirectoryListing, index: JSONDocument?
    ) throws(CheckpointError) -> [String] {
        guard let index else {
            if listing.names.contains(singleName) {
                if let stray = listing.names.first(where: isShardName) {
                    throw .index(file: path + "/" + singleName, .unreferencedShard(stray))
                }
                return [singleName]
            }
            if let pickle = listing.names.first(where: DirectoryListing.isPickle) {
                throw .pickleOnly(directory: path, file: pickle)
            }
            throw .noWeights(directory: path)
        }
        let file = path + "/" + indexName
        guard let map = index["weight_map"]?.object else { throw .index(file: file, .noWeightMap) }
        var names: OrderedSet<String> = []
        let present = Set(listing.names)
        for member in map.members {
            guard let name = member.value.string else {
                throw .index(file: file, .shardNotString(tensor: member.key))
            }
            guard names.append(name).inserted else { continue }
            guard name.hasSuffix(".safetensors"), !name.contains("/"), !name.utf8.contains(0), !name.hasPrefix(".")
            else { throw .index(file: file, .unsafeShardName(name)) }
            guard present.contains(name) else { throw .index(file: file, .missingShard(name)) }
        }
        guard !names.isEmpty else { throw .index(file: file, .noWeightMap) }
        if let stray = listing.names.first(where: { ($0 == singleName || isShardName($0)) && !names.contains($0) }) {
            throw .index(file: file, .unreferencedShard(stray))
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// `model-00001-of-00004.safetensors`.
    static func isShardName(_ name: String) -> Bool {
        name.hasPrefix("model-") && name.contains("-of-") && name.hasSuffix(".safetensors")
    }

    /// All tensors by name; a name may occur once, in one Unicode spelling.
    static func collect(
        _ shards: [Shard], path: String
    ) throws(CheckpointError) -> OrderedDictionary<String, TensorRecord> {
        var tensors = OrderedDictionary<String, TensorRecord>(
            minimumCapacity: shards.reduce(0) { $0 + $1.header.tensors.count })
        for shard in shards {
            for record in shard.header.tensors {
                if let twin = tensors.updateValue(record, forKey: record.name) {
                    guard twin.name.utf8.elementsEqual(record.name.utf8) else {
                        throw .index(file: path, .equivalentNames(tensor: record.name))
                    }
                    throw .index(
                        file: path,
                        .tensorInTwoShards(
                            tensor: record.name, first: shards[twin.shard].fileName, second: shard.fileName))
                }
            }
        }
        return tensors
    }

    /// Every tensor of the index must be in its shard, and every tensor of a shard in the index.
    static func checkIndex(
        _ index: JSONDocument, against shards: [Shard], file: String
    ) throws(CheckpointError) {
        let members = index["weight_map"]?.object?.members ?? []
        var expected: [String: String] = [:]
        for member in members { expected[member.key] = member.value.string }
        for shard in shards {
            for record in shard.header.tensors {
                guard let home = expected.removeValue(forKey: record.name) else {
                    throw .index(file: file, .tensorNotInIndex(tensor: record.name, shard: shard.fileName))
                }
                guard home == shard.fileName else {
                    throw .index(file: file, .tensorNotInShard(tensor: record.name, shard: home))
                }
            }
        }
        if let missing = members.first(where: { expected[$0.key] != nil }) {
            throw .index(
                file: file, .tensorNotInShard(tensor: missing.key, shard: missing.value.string ?? ""))
        }
    }
}
