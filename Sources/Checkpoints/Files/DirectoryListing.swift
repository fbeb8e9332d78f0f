import Glibc

/// What lies in a model directory, and what becomes of each entry in a copy: decided once, here, for all who ask.
struct DirectoryListing {
    let path: String
    let names: [String]
    private let system: any SystemCalls
    private let inclusions: InclusionPatterns

    init(_ path: String, including patterns: [String], system: any SystemCalls) throws(CheckpointError) {
        self.path = path
        self.system = system
        inclusions = InclusionPatterns(patterns: patterns)
        names = try system.list(path)
    }

    /// Hidden directories of tools, whose many files are not listed one by one.
    static let toolFolders: Set = [".git", ".cache", ".huggingface", ".github", ".hg", ".svn", ".vscode", ".idea"]

    /// Every entry below the directory, by path, and the modes of the directories that were gone through. Directories behind links
    /// are not followed, as they may lead in circles, but for those of modules.
    func entries(
        weights: Set<String>, modules list: Result<ModuleList, ModuleFault>
    ) throws(CheckpointError) -> (entries: [DirectoryEntry], folders: [String: mode_t]) {
        let modules = (try? list.get()) ?? ModuleList()
        var (entries, folders, pending) = ([DirectoryEntry](), [String: mode_t](), [""])
        while let folder = pending.popLast() {
            let prefix = folder.isEmpty ? "" : folder + "/"
            for name in folder.isEmpty ? names : try system.list(path + "/" + folder) {
                let relative = prefix + name
                let own = try system.linkStatus(path + "/" + relative)
                let isLink = own.kind == .link
                let status = isLink ? try target(of: path + "/" + relative) : own
                let isDirectory = status?.kind == .directory
                if let status, isDirectory, !Self.toolFolders.contains(name), !Self.isRemains(name),
                    !isLink || modules.folders.contains(relative)
                {
                    folders[relative] = status.mode
                    pending.append(relative)
                    continue
                }
                let disposition =
                    if weights.contains(relative) { DirectoryEntry.Disposition.weights } else {
                        try disposition(relative, status, isLink: isLink, modules: list)
                    }
                entries.append(
                    DirectoryEntry(
                        relativePath: relative, status: status ?? own, isLink: isLink, disposition: disposition))
            }
        }
        return (entries.sorted { $0.relativePath.utf8.lexicographicallyPrecedes($1.relativePath.utf8) }, folders)
    }

    private static func isRemains(_ name: String) -> Bool { name.hasSuffix(PartialDirectory.suffix) }

    /// - Parameter status: nil for a link that leads nowhere.
    private func disposition(
        _ relative: String, _ status: FileStatus?, isLink: Bool, modules: Result<ModuleList, ModuleFault>
    ) throws(CheckpointError) -> DirectoryEntry.Disposition {
        let name = Checkpoint.lastComponent(relative)
        guard let status else { return .leftOut(.brokenLink) }
        guard status.kind == .file else {
            if status.kind == .other { return .leftOut(.special) }
            return .leftOut(Self.isRemains(name) ? .remains : isLink ? .linkedDirectory : .hidden)
        }
        if Self.isAdapter(relative) { return .refused(.adapter) }
        let isIncluded = inclusions.matches(relative)
        var module: String?
        switch modules {
        case .success(let list): module = list.folder(of: relative)
        case .failure(let fault) where relative == ModuleList.fileName: return .refused(.modules(fault))
        case .failure: break
        }
        let byName = omission(relative, isModule: module != nil)
        if byName != nil, !isIncluded { return disposition(of: relative, byName, module: module) }
        let file = try MappedFile(path: path + "/" + relative, system: system)
        let omission = byName ?? content(of: file.bytes, relative, isModule: module != nil)
        // A key is sought in all that would be copied, and in what is as small as notes are.
        if omission == nil || isIncluded || file.bytes.count <= FileContent.textBytes,
            SecretKeyText.occurs(in: file.bytes)
        {
            return .leftOut(.secretKey)
        }
        return isIncluded ? .copied(included: omission != nil) : disposition(of: relative, omission, module: module)
    }

    /// A module needs its weights: without them the copy could not be loaded.
    private func disposition(
        of relative: String, _ omission: Omission?, module: String?
    ) -> DirectoryEntry.Disposition {
        guard let omission else { return .copied(included: false) }
        if let module, case .holdsWeights = omission, Checkpoint.lastComponent(relative) == "pytorch_model.bin",
            !names(in: module).contains(Checkpoint.singleName)
        {
            return .refused(.pickledModule(folder: module))
        }
        return .leftOut(omission)
    }

    private func names(in folder: String) -> [String] { (try? system.list(path + "/" + folder)) ?? [] }

    /// What the path alone tells.
    private func omission(_ relative: String, isModule: Bool) -> Omission? {
        let components = relative.split(separator: "/")
        let name = Checkpoint.lastComponent(relative)
        if components.contains(where: { $0.hasPrefix(".") }) { return Self.isRemains(name) ? .remains : .hidden }
        if name == Checkpoint.manifestName, relative != name { return .manifest }
        if isModule, name.hasSuffix(".safetensors") { return nil }
        return FileFormat.promised(by: name).map(Omission.holdsWeights)
    }

    private func content(of bytes: UnsafeRawBufferPointer, _ relative: String, isModule: Bool) -> Omission? {
        if isModule, relative.hasSuffix(".safetensors"), FileFormat(bytes) == .weights("safetensors") { return nil }
        // What it keeps under the key is as long as a large model's gains.
        if ManifestText.occurs(in: bytes) { return relative == Checkpoint.manifestName ? nil : .manifest }
        return FileContent.omission(bytes, named: Checkpoint.lastComponent(relative))
    }

    /// What transformers takes for an adapter of the model beside it.
    static func isAdapter(_ relative: String) -> Bool {
        ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"].contains(relative)
    }

    /// Nil for a link that leads nowhere or in a circle: nothing that could be copied.
    private func target(of path: String) throws(CheckpointError) -> FileStatus? {
        do { return try system.status(path) } catch {
            switch error {
            case .notFound, .systemCall(_, _, ELOOP), .systemCall(_, _, ENOTDIR): return nil
            default: throw error
            }
        }
    }
}
