extension Checkpoint {
    /// Files to be copied byte for byte.
    public var sidecars: [DirectoryEntry] { entries.filter(\.isCopied) }

    /// Whether modules.json names what stands behind the transformer.
    public var hasModules: Bool { entries.contains { $0.relativePath == ModuleList.fileName } }

    /// Files beside the weights that hold weights themselves or may hold them, and are never copied unasked.
    public var leftOut: [String] {
        entries.filter {
            switch $0.omission {
            case .holdsWeights, .unknown, .encodedNumbers, .manifest: true
            default: false
            }
        }.map(\.relativePath)
    }

    /// Throws for the first file beside which the model cannot be copied to any use: an adapter, modules that are not to be had.
    /// - Parameter resharded: whether the weights are to lie in other files than now.
    public func checkFitForCopy(resharded: Bool) throws(CheckpointError) {
        if resharded, let name = config?[Self.weightsKey], !name.isNull { throw .namedWeights(directory: path) }
        for shard in shards where shard.header.bytes.withUnsafeBytes(SecretKeyText.occurs) {
            throw .refusedFile(path: shard.file.path, .keyInHeader)
        }
        if let index, index.bytes.withUnsafeBytes(SecretKeyText.occurs) {
            throw .refusedFile(path: path + "/" + Self.indexName, .keyInHeader)
        }
        for entry in entries {
            if let refusal = entry.refusal { throw .refusedFile(path: path + "/" + entry.relativePath, refusal) }
            if entry.isCopied, entry.name.hasSuffix(".safetensors") { try checkModule(entry) }
        }
    }

    /// What a module keeps must not be the weights that are to be protected.
    private func checkModule(_ entry: DirectoryEntry) throws(CheckpointError) {
        guard !entry.isIncluded else { return }
        let file = path + "/" + entry.relativePath
        let mapped = try MappedFile(path: file, system: system)
        let header: SafetensorsHeader
        do throws(HeaderFault) { header = try SafetensorsHeader(parsing: mapped.bytes) } catch {
            throw .header(file: file, error)
        }
        if let twin = header.tensors.first(where: { tensors[$0.name]?.shape == $0.shape }) {
            throw .refusedFile(path: file, .modelTensors(tensor: twin.name))
        }
    }

    /// Those of the patterns that no included file matches.
    public func unused(_ patterns: [String]) -> [String] {
        patterns.filter { pattern in
            let alone = InclusionPatterns(patterns: [pattern])
            return !entries.contains { $0.isIncluded && alone.matches($0.relativePath) }
        }
    }

    /// Throws when a key file lies in the directory, under whatever name: it would be published with the model.
    ///
    /// - Parameter key: its path; `-` for standard input.
    public func refuseKey(at key: String) throws(CheckpointError) {
        let status = key == "-" ? try system.status(0, path: key) : try system.status(key)
        guard let entry = try entry(sameAs: status) else { return }
        throw .keyInsideModel(key: key, model: path, entry: entry)
    }

    /// The entry that is the same file as another path leads to, links and hidden folders included: for files that must not lie
    /// in what will be published.
    ///
    /// - Parameter status: of the other file.
    func entry(sameAs status: FileStatus) throws(CheckpointError) -> String? {
        guard !isSingleFile, status.kind == .file else { return nil }
        var pending = [""]
        while let folder = pending.popLast() {
            for name in try system.list(path + "/" + folder) {
                let relative = folder + name
                let own = try system.linkStatus(path + "/" + relative)
                if own.kind == .directory {
                    pending.append(relative + "/")
                } else if own.isSameFile(as: status)
                    || (own.kind == .link
                        && (try? system.status(path + "/" + relative))?.isSameFile(as: status) == true)
                {
                    return relative
                }
            }
        }
        return entries.first { $0.status.isSameFile(as: status) }?.relativePath
    }

    /// A file's bytes, if it is the very one that was judged when the checkpoint was opened.
    package func bytes(ofUnchanged entry: DirectoryEntry) throws(CheckpointError) -> [UInt8] {
        let file = try MappedFile(path: path + "/" + entry.relativePath, system: system)
        try file.check(against: entry.status)
        defer { withExtendedLifetime(file) {} }
        return Array(file.bytes)
    }

    /// A file's bytes.
    package func withBytes<Result>(
        of entry: DirectoryEntry, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let file = try MappedFile(path: path + "/" + entry.relativePath, system: system)
        defer { withExtendedLifetime(file) {} }
        return try body(file.bytes)
    }
}

extension FileStatus {
    /// Whether both are of one and the same file.
    public func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }
}
