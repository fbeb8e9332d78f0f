import Foundations
import Glibc
import OrderedCollections

/// A model's weights as Hugging Face stores them: one `model.safetensors`, or shards with `model.safetensors.index.json`,
/// in a directory with `config.json` and other sidecar files; or a single .safetensors file. Read-only and mapped.
public final class Checkpoint: Sendable {
    public static let indexName = "model.safetensors.index.json"
    public static let singleName = "model.safetensors"
    /// What a protection writes beside the weights.
    public static let manifestName = "mergeproof.json"

    /// One safetensors file.
    public struct Shard: Sendable {
        public let fileName: String
        public let header: SafetensorsHeader
        public var size: Int { file.bytes.count }
        var mode: mode_t { file.permissions }
        let file: MappedFile
    }

    /// The path as given.
    public let path: String
    public let isSingleFile: Bool
    public let shards: [Shard]
    /// Every tensor, shard by shard in the order of the data.
    public let tensors: OrderedDictionary<String, TensorRecord>
    /// Everything in the directory, by path, and what becomes of it in a copy; empty for a single file.
    public let entries: [DirectoryEntry]
    /// The modes of the directories below, by path.
    let folders: [String: mode_t]
    /// Of the directory itself.
    let mode: mode_t
    public let config: JSONDocument?
    public let index: JSONDocument?
    let system: any SystemCalls
    /// What rooms above have worked out of this checkpoint.
    package let memo = Memo()
    /// Tensors that are kept in memory; their records name no shard.
    private let memory: TensorMemory?
    /// Tensors that are made in the place of stored ones, or beside them.
    private let made: MadeTensors?
    /// How the model is stated where that is not as its files do; nil as they do.
    package let restatement: Restatement?

    /// - Parameter patterns: files to be copied although they look like weights in another form or are hidden; see
    ///   `InclusionPatterns`.
    public init(
        opening path: String, including patterns: [String] = [], system: any SystemCalls = PosixSystemCalls()
    ) throws(CheckpointError) {
        self.path = path
        self.system = system
        (memory, made, restatement) = (nil, nil, nil)
        let status = try system.status(path)
        guard status.kind != .other else { throw .notAFileOrDirectory(path: path) }
        isSingleFile = status.kind == .file
        if isSingleFile {
            guard path.hasSuffix(".safetensors") else { throw .notAFileOrDirectory(path: path) }
            shards = [try Self.openShard(path, name: Self.lastComponent(path), number: 0, system)]
            (entries, folders, config, index, mode) = ([], [:], nil, nil, 0o777)
        } else {
            let listing = try DirectoryListing(path, including: patterns, system: system)
            config = try Self.document("config.json", in: path, if: listing.names, system)
            let named = try Self.explicitName(path, config, listing)
            index =
                named ?? Self.indexName == Self.indexName
                ? try Self.document(Self.indexName, in: path, if: listing.names, system) : nil
            let names =
                if let named, named != Self.indexName { [named] } else {
                    try Self.shardNames(path, listing: listing, index: index, hasConfig: config != nil)
                }
            var opened: [Shard] = []
            for (number, name) in names.enumerated() {
                opened.append(try Self.openShard(path + "/" + name, name: name, number: number, system))
            }
            shards = opened
            let modules = try Self.modules(in: path, if: listing.names, system)
            (entries, folders) = try listing.entries(
                weights: Set(index == nil ? names : names + [Self.indexName]), modules: modules)
            mode = status.mode
        }
        tensors = try Self.collect(shards, path: path)
        if let index { try Self.checkIndex(index, against: shards, file: path + "/" + Self.indexName) }
    }

    /// A checkpoint in which some tensors are kept in memory, in the place of the other's or beside them.
    package init(_ base: Checkpoint, replacing memory: TensorMemory) {
        (path, isSingleFile, shards, system) = (base.path, base.isSingleFile, base.shards, base.system)
        (entries, folders, mode, config, index) = (base.entries, base.folders, base.mode, base.config, base.index)
        tensors = base.tensors.merging(memory.records.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) { $1 }
        (self.memory, made, restatement) = (memory, base.made, base.restatement)
    }

    /// A checkpoint in which some tensors are made, in the place of the other's, when they are asked for.
    ///
    /// - Parameters:
    ///   - restatement: what there is besides, and what stands for config.json; the source makes its tensors, too. Nil where all is stated as by the base.
    ///   - keeping: whether each stays in memory once it is made.
    package init(
        _ base: Checkpoint, making source: any TensorSource, restatedAs restatement: Restatement? = nil,
        keeping: Bool = false
    ) {
        (path, isSingleFile, shards, system) = (base.path, base.isSingleFile, base.shards, base.system)
        (entries, folders, mode, index) = (base.entries, base.folders, base.mode, base.index)
        (memory, self.restatement) = (base.memory, restatement ?? base.restatement)
        made = MadeTensors(source, over: base.made, keepingAll: keeping)
        config = restatement?.config ?? base.config
        let added = restatement?.tensors.map { ($0.record.name, $0.record) } ?? []
        tensors = base.tensors.merging(added) { $1 }
    }

    /// A checkpoint that is stated otherwise, with further tensors that are stored under other names.
    package init(_ base: Checkpoint, restatedAs restatement: Restatement) {
        (path, isSingleFile, shards, system) = (base.path, base.isSingleFile, base.shards, base.system)
        (entries, folders, mode, index) = (base.entries, base.folders, base.mode, base.index)
        (memory, made, self.restatement, config) = (base.memory, base.made, restatement, restatement.config)
        tensors = base.tensors.merging(restatement.tensors.map { ($0.record.name, $0.record) }) { $1 }
    }

    /// A checkpoint of which some tensors are not looked at.
    package init(_ base: Checkpoint, without gone: Set<String>) {
        (path, isSingleFile, shards, system) = (base.path, base.isSingleFile, base.shards, base.system)
        (entries, folders, mode, config, index) = (base.entries, base.folders, base.mode, base.config, base.index)
        (memory, made, restatement) = (base.memory, base.made, base.restatement)
        tensors = base.tensors.filter { !gone.contains($0.key) }
    }

    /// A model of which only config.json and the tensors' names, types and shapes are known: for what looks at no values.
    package init(_ base: Checkpoint, describing specs: [TensorSpec], config: JSONDocument) {
        (path, isSingleFile, shards, system) = (base.path, base.isSingleFile, [], base.system)
        (entries, folders, mode, index) = (base.entries, base.folders, base.mode, nil)
        (memory, made, restatement, self.config) = (nil, nil, nil, config)
        let records = specs.map { spec in
            TensorRecord(name: spec.name, type: spec.type, shape: spec.shape, shard: -1, dataRange: 0..<0)
        }
        tensors = OrderedDictionary(records.map { ($0.name, $0) }) { $1 }
    }

    /// A tensor's bytes, which may be made now.
    package func content(of tensor: TensorRecord) -> TensorContent {
        if let made, makes(tensor) { return made.content(of: tensor) }
        return TensorContent(bytes(of: tensor), of: self)
    }

    /// Whether a tensor is made when it is asked for, and not stored.
    func makes(_ tensor: TensorRecord) -> Bool { made?.makes(tensor.name) == true }

    /// A tensor's bytes as they are stored, in the mapping or in memory; valid while the checkpoint lives.
    public func bytes(of tensor: TensorRecord) -> UnsafeRawBufferPointer {
        guard shards.indices.contains(tensor.shard) else {
            return memory?.bytes(of: tensor) ?? UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(rebasing: shards[tensor.shard].file.bytes[tensor.dataRange])
    }

    /// Lets go of a tensor's pages: they stay in the page cache but no longer count as this process's memory.
    public func releasePages(of tensor: TensorRecord) {
        releasePages(of: tensor, bytes: 0..<tensor.byteCount)
    }

    /// The same of the tensor of a name, where there is one.
    package func releasePages(ofTensor name: String) {
        if let tensor = tensors[name] { releasePages(of: tensor) }
        for other in made?.source.others ?? [] { other.releasePages(ofTensor: name) }
    }

    /// The same for some of a tensor's bytes: the whole pages among them.
    public func releasePages(of tensor: TensorRecord, bytes: Range<Int>) {
        guard shards.indices.contains(tensor.shard) else { return }
        let start = tensor.dataRange.lowerBound
        shards[tensor.shard].file.advise(
            start + bytes.lowerBound..<start + bytes.upperBound, Int32(MADV_DONTNEED))
    }

    /// Throws `sourceChanged` when somebody wrote to a shard since it was opened.
    public func checkUnchanged() throws(CheckpointError) {
        for shard in shards { try shard.file.checkUnchanged() }
        for other in made?.source.others ?? [] { try other.checkUnchanged() }
    }

    /// Bytes of all tensors.
    public var tensorBytes: Int { tensors.values.reduce(0) { $0 + $1.byteCount } }

    /// A JSON file beside the weights, or nil when there is none of that name.
    public func document(named name: String) throws(CheckpointError) -> JSONDocument? {
        try Self.document(name, in: path, if: sidecars.map(\.relativePath), system)
    }

    private static func modules(
        in directory: String, if names: [String], _ system: any SystemCalls
    ) throws(CheckpointError) -> Result<ModuleList, ModuleFault> {
        let document: JSONDocument?
        do throws(CheckpointError) {
            document = try Self.document(ModuleList.fileName, in: directory, if: names, system)
        } catch {
            switch error {
            case .json: return .failure(.malformed)
            // A link that leads nowhere.
            case .notFound: return .success(ModuleList())
            default: throw error
            }
        }
        guard let document else { return .success(ModuleList()) }
        do throws(ModuleFault) { return .success(try ModuleList(document)) } catch { return .failure(error) }
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
        return try parsed(name, in: directory, as: name == "config.json" ? .lenient : .strict, system)
    }

    private static func parsed(
        _ name: String, in directory: String, as dialect: JSONDialect, _ system: any SystemCalls
    ) throws(CheckpointError) -> JSONDocument {
        let path = directory + "/" + name
        let file = try MappedFile(path: path, system: system)
        do throws(JSONFault) {
            return try JSONDocument(parsing: Array(file.bytes), as: dialect)
        } catch {
            throw .json(file: path, error)
        }
    }

    // MARK: Directories that need not hold a model

    /// A JSON file in a directory, or nil when there is none of that name.
    package static func document(
        _ name: String, in directory: String, as dialect: JSONDialect, _ system: any SystemCalls
    ) throws(CheckpointError) -> JSONDocument? {
        guard try holds(name, in: directory, system) else { return nil }
        return try parsed(name, in: directory, as: dialect, system)
    }

    /// The bytes of a file in a directory, or nil when there is none of that name.
    package static func bytes(
        of name: String, in directory: String, _ system: any SystemCalls
    ) throws(CheckpointError) -> [UInt8]? {
        guard try holds(name, in: directory, system) else { return nil }
        let file = try MappedFile(path: directory + "/" + name, system: system)
        return withExtendedLifetime(file) { Array($0.bytes) }
    }

    /// Whether a directory has a file of that name.
    package static func holds(
        _ name: String, in directory: String, _ system: any SystemCalls
    ) throws(CheckpointError) -> Bool {
        do throws(CheckpointError) {
            return try system.status(directory + "/" + name).kind == .file
        } catch {
            guard case .notFound = error else { throw error }
            return false
        }
    }
}
