import Foundations
import Glibc

/// What an output directory will hold, to the byte, before the first one is written.
public struct OutputPlan: Sendable {
    /// A tensor's place in an output file.
    public struct Placement: Sendable {
        public let tensor: OutputTensor
        public let offset: Int
    }

    /// One safetensors file.
    public struct File: Sendable {
        public let name: String
        public let header: [UInt8]
        public let placements: [Placement]
        public let size: Int
        let mode: mode_t
        /// The shard of `source` whose header this file repeats byte for byte.
        public let mirroredShard: Int?

        /// The same with other contents for some tensors.
        func replacing(_ tensor: (TensorSpec) throws -> OutputTensor?) rethrows -> File {
            let placements = try placements.map { placement in
                try tensor(placement.tensor.spec).map { Placement(tensor: $0, offset: placement.offset) } ?? placement
            }
            return File(
                name: name, header: header, placements: placements, size: size, mode: mode,
                mirroredShard: mirroredShard)
        }
    }

    /// A small file whose content is made here; it takes the place of a sidecar of the same name.
    public struct Generated: Sendable, Equatable {
        public let name: String
        public let bytes: [UInt8]
        /// Nil for what the process's mask leaves.
        let mode: mode_t?

        public init(name: String, bytes: [UInt8]) { self.init(name: name, bytes: bytes, mode: nil) }

        /// - Parameter former: what it takes the place of and has the permissions of.
        package init(name: String, bytes: [UInt8], replacing former: DirectoryEntry?) {
            self.init(name: name, bytes: bytes, mode: former.map { $0.status.mode & 0o777 | 0o600 })
        }

        init(name: String, bytes: [UInt8], mode: mode_t?) {
            (self.name, self.bytes, self.mode) = (name, bytes, mode)
        }
    }

    /// The checkpoint whose other files go along.
    public let source: Checkpoint
    public let files: [File]
    public let sidecars: [DirectoryEntry]
    public let generated: [Generated]

    public var tensorFileBytes: Int { files.reduce(0) { $0 + $1.size } }

    public var totalBytes: Int {
        tensorFileBytes + sidecars.reduce(0) { $0 + $1.size } + generated.reduce(0) { $0 + $1.bytes.count }
    }

    /// Directories that sidecars lie in, the deepest first.
    var sidecarFolders: [String] {
        var folders: Set<String> = []
        for sidecar in sidecars {
            var components = sidecar.relativePath.split(separator: "/").dropLast()
            while !components.isEmpty {
                folders.insert(components.joined(separator: "/"))
                components = components.dropLast()
            }
        }
        return folders.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    /// Every checkpoint that is read, the first of them `source`.
    var sources: [Checkpoint] {
        var seen: Set<ObjectIdentifier> = []
        return ([source] + files.flatMap { $0.placements.flatMap(\.tensor.sources) })
            .filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    init(_ source: Checkpoint, files: [File], dropping dropped: Set<String>, generated: [Generated]) {
        let own = Set(generated.map(\.name))
        let restated = source.restatement?.files.filter { !own.contains($0.name) && !dropped.contains($0.name) } ?? []
        let generated = restated + generated
        let replaced = Set(generated.map(\.name)).union(dropped)
        self.source = source
        self.files = files
        sidecars = source.sidecars.filter { !replaced.contains($0.relativePath) }
        self.generated = generated
    }

    init(_ plan: OutputPlan, files: [File]) {
        (source, sidecars, generated) = (plan.source, plan.sidecars, plan.generated)
        self.files = files
    }

    /// The same where some tensors are made instead of copied.
    /// - Parameter producer: who makes this tensor; nil to leave it as it is.
    public func making(_ producer: (TensorSpec) throws -> (any TensorProducer)?) rethrows -> OutputPlan {
        OutputPlan(
            self,
            files: try files.map { file in
                try file.replacing { spec in try producer(spec).map { OutputTensor(spec, .made($0)) } }
            })
    }

    /// The source's files one to one, headers and index byte for byte but for tensors that come or go.
    ///
    /// - Parameters:
    ///   - tensors: new ones, whose records name the bytes that they are made of; they go where these lie.
    ///   - gone: names of tensors that are left out.
    public static func keepingShards(
        of source: Checkpoint, adding generated: [Generated] = [], dropping dropped: Set<String> = [],
        tensors: [TensorRecord] = [], without gone: Set<String> = []
    ) -> OutputPlan {
        let restated = source.restatement?.tensors ?? []
        let files = source.shards.enumerated().map { number, shard in
            let new = tensors.filter { $0.shard == number } + restated.filter { $0.home == number }.map(\.record)
            guard new.isEmpty, !shard.header.tensors.contains(where: { gone.contains($0.name) }) else {
                let kept = shard.header.tensors.filter { !gone.contains($0.name) } + new
                return file(
                    shard.fileName, kept.map { OutputTensor(copying: $0, of: source) },
                    metadata: shard.header.metadata, mode: shard.mode | 0o600)
            }
            return File(
                name: shard.fileName, header: shard.header.bytes,
                placements: shard.header.tensors.map {
                    Placement(tensor: OutputTensor(copying: $0, of: source), offset: $0.dataRange.lowerBound)
                },
                size: shard.size, mode: shard.mode | 0o600, mirroredShard: number)
        }
        let isSame = tensors.isEmpty && gone.isEmpty && restated.isEmpty
        let index = isSame ? source.index.map { Self.index(source, $0.bytes) } : Self.index(of: files, source)
        return OutputPlan(source, files: files, dropping: dropped, generated: [index].compactMap(\.self) + generated)
    }

    /// Shards of at most `maximumShardSize` bytes of tensors, filled greedily in the order of the tensors; a tensor larger than
    /// that has a shard to itself. One shard becomes a `model.safetensors` without index, as Hugging Face writes it.
    public static func resharded(
        _ source: Checkpoint, maximumShardSize: Int, adding generated: [Generated] = [],
        dropping dropped: Set<String> = [], tensors: [TensorRecord] = []
    ) -> OutputPlan {
        resharded(
            source, (source.tensors.values + tensors).map { OutputTensor(copying: $0, of: source) },
            maximumShardSize: maximumShardSize, adding: generated, dropping: dropped)
    }

    /// The same of any tensors, with the source's other files.
    package static func resharded(
        _ source: Checkpoint, _ tensors: [OutputTensor], maximumShardSize: Int, adding generated: [Generated] = [],
        dropping dropped: Set<String> = []
    ) -> OutputPlan {
        var groups: [[OutputTensor]] = [[]]
        var filled = 0
        for tensor in tensors {
            if filled > 0, filled + tensor.byteCount > maximumShardSize {
                groups.append([])
                filled = 0
            }
            groups[groups.count - 1].append(tensor)
            filled += tensor.byteCount
        }
        let metadata = source.shards.lazy.compactMap(\.header.metadata).first
        let names = groups.indices.map { shardName($0 + 1, of: groups.count) }
        let mode = strictestMode(source)
        let files = zip(names, groups).map { name, tensors in file(name, tensors, metadata: metadata, mode: mode) }
        var made = generated
        if groups.count > 1 { made.insert(index(of: zip(names, groups), source: source), at: 0) }
        return OutputPlan(source, files: files, dropping: dropped, generated: made)
    }

    /// `model-00002-of-00006.safetensors`, or the name of a model in one file.
    package static func shardName(_ number: Int, of count: Int) -> String {
        guard count > 1 else { return Checkpoint.singleName }
        func padded(_ n: Int) -> String { String(repeating: "0", count: max(0, 5 - String(n).count)) + String(n) }
        return "model-\(padded(number))-of-\(padded(count)).safetensors"
    }

    /// What every file of the source's weights allows.
    private static func strictestMode(_ source: Checkpoint) -> mode_t {
        source.shards.reduce(0o777) { $0 & $1.mode } | 0o600
    }

    private static func indexMode(_ source: Checkpoint) -> mode_t {
        let entry = source.entries.first { $0.relativePath == Checkpoint.indexName }
        return (entry?.status.mode ?? 0o777) & 0o777 | 0o600
    }

    static func file(_ name: String, _ tensors: [OutputTensor], metadata: JSONValue?, mode: mode_t) -> File {
        let header = SafetensorsHeader.bytes(for: tensors.map(\.spec), metadata: metadata)
        var offset = header.count
        let placements = tensors.map { tensor in
            defer { offset += tensor.byteCount }
            return Placement(tensor: tensor, offset: offset)
        }
        return File(name: name, header: header, placements: placements, size: offset, mode: mode, mirroredShard: nil)
    }

    private static func index(_ source: Checkpoint, _ bytes: [UInt8]) -> Generated {
        Generated(name: Checkpoint.indexName, bytes: bytes, mode: indexMode(source))
    }

    /// An index that names the tensors of these files, and says what it said besides; nil where the source has none.
    static func index(of files: [File], _ source: Checkpoint) -> Generated? {
        guard let root = source.index?.root else { return nil }
        var object = root.object ?? JSONObject()
        var metadata = object["metadata"]?.object ?? JSONObject()
        let all = files.flatMap { file in file.placements.map { (name: $0.tensor.name, file: file.name) } }
        if metadata["total_size"] != nil {
            metadata["total_size"] = .int(files.flatMap(\.placements).reduce(0) { $0 + $1.tensor.byteCount })
            object["metadata"] = .object(metadata)
        }
        object["weight_map"] = .object(
            JSONObject(
                all.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map { ($0.name, .string($0.file)) })
        )
        return index(source, Array((JSONValue.object(object).serialized(indented: true) + "\n").utf8))
    }

    private static func index(
        of shards: Zip2Sequence<[String], [[OutputTensor]]>, source: Checkpoint
    ) -> Generated {
        let homes = shards.flatMap { name, tensors in tensors.map { ($0.name, JSONValue.string(name)) } }
            .sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        var metadata = source.index?["metadata"]?.object ?? JSONObject()
        metadata["total_size"] = .int(shards.reduce(0) { $0 + $1.1.reduce(0) { $0 + $1.byteCount } })
        let root = JSONValue.object(["metadata": .object(metadata), "weight_map": .object(JSONObject(homes))])
        return Generated(
            name: Checkpoint.indexName, bytes: Array((root.serialized(indented: true) + "\n").utf8),
            mode: indexMode(source) & strictestMode(source))
    }
}
