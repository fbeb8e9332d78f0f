import Checkpoints

/// What a restored model was checked against, and how it came out.
public struct RestorationProof: Sendable, Equatable {
    /// In no case both changed gravely and restored without `acceptsChanges`.
    public let changes: [Change]
    public let tensors: Int
    /// Tensors whose restored bytes carry the tag of the original's.
    public let identicalTensors: Int
    /// Files beside the weights whose restored bytes carry the tag of what protect wrote.
    public let identicalFiles: Int

    /// Nothing grave was found: what is not identical came back to rounding, from tensors that are as protect wrote them.
    public var holds: Bool { !changes.contains(where: \.isGrave) }
    public var isBitForBit: Bool { holds && identicalTensors == tensors }

    /// - Parameters:
    ///   - manifest: of the protected model.
    ///   - found: the tags of what was read and written.
    ///   - earlier: changes that were found before anything was moved.
    init(_ manifest: Manifest, _ expected: Inventory, found: Inventory, earlier: [Change]) {
        var changes = earlier
        var identical = 0
        for (name, tags) in found.tensors.sorted(by: { $0.key < $1.key }) {
            guard let expected = expected.tensors[name] else { continue }
            if tags.protected != expected.protected {
                changes.append(.tensor(name))
            } else if tags.original == expected.original {
                identical += 1
            } else if manifest.steps.isExact {
                changes.append(.unrestored(tensor: name))
            }
        }
        var files = 0
        for (path, tag) in found.files.sorted(by: { $0.key < $1.key }) {
            guard let expected = expected.files[path] else { continue }
            if tag == expected { files += 1 } else { changes.append(.file(path)) }
        }
        self.changes = changes
        tensors = found.tensors.count
        identicalTensors = identical
        identicalFiles = files
    }

    /// What can be told before anything is moved.
    static func earlyChanges(
        _ manifest: Manifest, _ expected: Inventory, _ source: Checkpoint, files: [DirectoryEntry],
        _ authenticator: Authenticator
    ) throws -> [Change] {
        var changes: [Change] = manifest.isAuthentic(authenticator) ? [] : [.manifest]
        let tensors = Set(source.tensors.keys)
        changes += expected.tensors.keys.filter { !tensors.contains($0) }.sorted().map(Change.missingTensor)
        changes += source.tensors.keys.filter { expected.tensors[$0] == nil }.map(Change.addedTensor)
        if let untied = manifest.untied {
            // What the architecture is read from, and what is left out of the original.
            if !untied.isConfig(of: source) { changes.append(.file("config.json")) }
            if let head = source.tensors[untied.head] {
                let gatherer = TagGatherer(head, .protected, authenticator)
                let tag = try gatherer.absorb(source.bytes(of: head), at: 0) ?? gatherer.tagOfNothing()
                source.releasePages(of: head)
                if tag != expected.tensors[untied.head]?.protected { changes.append(.tensor(untied.head)) }
            }
        }
        let paths = Set(files.map(\.relativePath))
        for (path, tag) in expected.files.sorted(by: { $0.key < $1.key }) where !paths.contains(path) {
            // What protect copied on request alone may be there, unchanged, and not be wanted now.
            let entry = source.entries.first { $0.relativePath == path && $0.isFile }
            let isThere = try entry.map { entry in
                try source.withBytes(of: entry) { authenticator.tag(file: path, $0) == tag }
            }
            if isThere != true { changes.append(.missingFile(path)) }
        }
        changes += paths.filter { expected.files[$0] == nil }.sorted().map(Change.addedFile)
        for (shard, metadata) in Inventory.headerMetadata(of: source) where !expected.headerMetadata.contains(metadata)
        {
            changes.append(.headerMetadata(shard: shard))
        }
        return changes
    }
}
