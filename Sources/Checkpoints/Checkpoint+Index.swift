import Foundations
import OrderedCollections

extension Checkpoint {
    /// The safetensors files that make up the model, by name.
    static func shardNames(
        _ path: String, listing: DirectoryListing, index: JSONDocument?, hasConfig: Bool
    ) throws(CheckpointError) -> [String] {
        guard let index else { return try shardNamesWithoutIndex(path, listing, hasConfig: hasConfig) }
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

    /// The file that config.json itself names as the weights, as transformers reads it.
    static func explicitName(
        _ path: String, _ config: JSONDocument?, _ listing: DirectoryListing
    ) throws(CheckpointError) -> String? {
        guard let value = config?[weightsKey], !value.isNull else { return nil }
        guard let name = value.string, name == indexName || name.hasSuffix(".safetensors"), !name.contains("/"),
            !name.hasPrefix("."), !name.utf8.contains(0)
        else { throw .index(file: path + "/config.json", .unsafeShardName(value.string ?? value.serialized())) }
        guard listing.names.contains(name) else { throw .index(file: path + "/config.json", .missingShard(name)) }
        return name
    }

    /// The member of config.json that names the weights' file.
    static let weightsKey = "transformers_weights"

    /// One file, or a whole set of numbered shards.
    private static func shardNamesWithoutIndex(
        _ path: String, _ listing: DirectoryListing, hasConfig: Bool
    ) throws(CheckpointError) -> [String] {
        let candidates = listing.names.filter {
            $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") && !DirectoryListing.isAdapter($0)
        }
        let numbered = candidates.filter { ShardNumber($0) != nil }
        if candidates.contains(singleName) {
            if let stray = numbered.first { throw .index(file: path + "/" + singleName, .unreferencedShard(stray)) }
            return [singleName]
        }
        if let diffusion = candidates.first(where: { $0.hasPrefix("diffusion_pytorch_model") }) {
            throw .index(file: path, .diffusionModel(diffusion))
        }
        if let first = numbered.first.flatMap(ShardNumber.init) {
            let expected = first.wholeSet
            if let missing = expected.first(where: { !candidates.contains($0) }) {
                throw .index(file: path, .missingShard(missing))
            }
            if let stray = candidates.first(where: { !expected.contains($0) }) {
                throw .index(file: path, .unreferencedShard(stray))
            }
            return expected
        }
        if hasConfig, let only = candidates.first {
            if candidates.count > 1 { throw .index(file: path, .severalFiles(candidates)) }
            return [only]
        }
        if let pickle = listing.names.first(where: FileFormat.isPickle) {
            throw .pickleOnly(directory: path, file: pickle)
        }
        throw .noWeights(directory: path)
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

/// The parts of a shard's name: `model-00002-of-00004.safetensors`.
struct ShardNumber {
    let prefix: Substring
    let number: Int
    let count: Int
    private let digits: Int

    /// Nil for other names.
    init?(_ name: String) {
        guard name.hasSuffix(".safetensors") else { return nil }
        let parts = name.dropLast(".safetensors".count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 2] == "of", let last = parts.last,
            parts[parts.count - 3].utf8.count == last.utf8.count, let number = Int(parts[parts.count - 3]),
            let count = Int(last), (1...count).contains(number), count <= 100_000
        else { return nil }
        prefix = name.dropLast(".safetensors".count + 4 + 2 * last.utf8.count + 1)
        digits = last.utf8.count
        (self.number, self.count) = (number, count)
    }

    /// The names of all shards of the set.
    var wholeSet: [String] {
        func padded(_ n: Int) -> String {
            String(repeating: "0", count: max(0, digits - String(n).utf8.count)) + String(n)
        }
        return (1...count).map { "\(prefix)-\(padded($0))-of-\(padded(count)).safetensors" }
    }
}
