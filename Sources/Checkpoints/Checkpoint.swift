import Glibc
import OrderedCollections

/// A model's weights as Hugging Face stores them: one `model.safetensors`, or shards with `model.safetensors.index.json`,
/// in a directory with `config.json` and other sidecar files; or a single .safetensors file. Read-only and mapped.
public final class Checkpoint: Sendable {
    public static let indexName = "model.safetensors.index.json"
    public static let singleName = "model.safetensors"

    /// One safetensors file.
    public struct Shard: Sendable {
        public let fileName: String
        public let header: SafetensorsHeader
        public var size: Int { file.bytes.count }
        let file: MappedFile
    }

    /// The path as given.
    public let path: String
    public let isSingleFile: Bool
    public let shards: [Shard]
    /// Every tensor, shard by shard in the order of the data.
    public let tensors: OrderedDictionary<String, TensorRecord>
    /// Files to be copied byte for byte.
    public let sidecars: [Sidecar]
    /// Files beside the weights that hold weights themselves, in other formats or unreferenced. They would carry the
    /// unprotected model into any copy and are never copied.
    public let leftOut: [String]
    public let config: JSONDocument?
    public let index: JSONDocument?
    let system: any SystemCalls

    public init(opening path: String, system: any SystemCalls = PosixSystemCalls()) throws(CheckpointError) {
        self.path = path
        self.system = system
        let status = try system.status(path)
        guard status.kind != .other else { throw .notAFileOrDirectory(path: path) }
        isSingleFile = status.kind == .file
        if isSingleFile {
            guard path.hasSuffix(".safetensors") else { throw .notAFileOrDirectory(path: path) }
            shards = [try Self.openShard(path, name: Self.lastComponent(path), number: 0, system)]
            (sidecars, leftOut, config, index) = ([], [], nil, nil)
        } else {
            let listing = try DirectoryListing(path, system: system)
            index = try Self.document(Self.indexName, in: path, if: listing.names, system)
            config = try Self.document("config.json", in: path, if: listing.names, system)
            let names = try Self.shardNames(path, listing: listing, index: index)
            var opened: [Shard] = []
            for (number, name) in names.enumerated() {
                opened.append(try Self.openShard(path + "/" + name, name: name, number: number, system))
            }
            shards = opened
            (sidecars, leftOut) = try listing.sidecars(besides: Set(names))
        }
        tensors = try Self.collect(shards, path: path)
        if let index { try Self.checkIndex(index, against: shards, file: path + "/" + Self.indexName) }
    }

    /// A tensor's bytes in the mapping; valid while the checkpoint lives.
    public func bytes(of tensor: TensorRecord) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: shards[tensor.shard].file.bytes[tensor.dataRange])
    }

    /// Lets go of a tensor's pages: they stay in the page cache but no longer count as this process's memory.
    public func releasePages(of tensor: TensorRecord) {
        shards[tensor.shard].file.advise(tensor.dataRange, Int32(MADV_DONTNEED))
    }

    /// Throws `sourceChanged` when somebody wrote to a shard since it was opened.
    public func checkUnchanged() throws(CheckpointError) {
        for shard in shards { try shard.file.checkUnchanged() }
    }

    /// Bytes of all tensors.
    public var tensorBytes: Int { tensors.values.reduce(0) { $0 + $1.byteCount } }

    /// A JSON file beside the weights, or nil when there is none of that name.
    public func document(named name: String) throws(CheckpointError) -> JSONDocument? {
        try Self.document(name, in: path, if: sidecars.map(\.relativePath), system)
    }

    static func lastComponent(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private static func openShard(
        _ path: String, name: String, number: Int, _ system: any SystemCalls
    ) throws(CheckpointError) -> Shard {
        let file = try MappedFile(path: path, system: system)
        do throws(HeaderFault) {
            return Shard(fileName: name, header: try SafetensorsHeader(parsing: file.bytes, shard: number), file: file)
        } catch { throw .header(file: path, error) }
    }

    private static func document(
        _ name: String, in directory: String, if names: [String], _ system: any SystemCalls
    ) throws(CheckpointError) -> JSONDocument? {
        guard names.contains(name) else { return nil }
        let path = directory + "/" + name
        let file = try MappedFile(path: path, system: system)
        do throws(JSONFault) {
            return try JSONDocument(parsing: Array(file.bytes), as: name == "config.json" ? .lenient : .strict)
        } catch {
            throw .json(file: path, error)
        }
    }
}
