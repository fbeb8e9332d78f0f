import Checkpoints
import Foundations
import Protections

/// Compares two model directories file by file, but for the tensors themselves. Whatever a loader may read or run must be the same;
/// in doubt it may. Of what is missing only that is allowed to be which protection leaves out by its own rules: they are applied to
/// the original here, and no manifest is asked.
struct FileComparison {
    /// One sentence each.
    private(set) var faults: [String] = []
    /// What differs without any effect on what is loaded.
    private(set) var differences: [String] = []
    private let original: Checkpoint
    private let protected: Checkpoint
    /// Whether the protected model is to keep a head of its own, and config.json to say so.
    private let isUntied: Bool
    /// What a manifest says of a model card.
    private let card: ModelCard?

    /// - Throws: `CheckpointError` for a file that cannot be read.
    init(_ original: Checkpoint, _ protected: Checkpoint, isUntied: Bool = false, card: ModelCard? = nil) throws {
        (self.original, self.protected, self.isUntied, self.card) = (original, protected, isUntied, card)
        compareLayout()
        guard !original.isSingleFile, !protected.isSingleFile else { return }
        let (before, after) = (Self.byPath(original.entries), Self.byPath(protected.entries))
        for entry in original.entries where entry.disposition != .weights {
            guard after[Array(entry.relativePath.utf8)] == nil else { continue }
            try missing(entry)
        }
        for entry in protected.entries where entry.disposition != .weights {
            if entry.omission == .secretKey {
                faults.append("\(entry.relativePath) \(Omission.secretKey)")
            } else if entry.refusal == .adapter {
                // Even where both have it: it acts on weights that are no longer the same.
                faults.append("\(entry.relativePath): a loader would apply this adapter to the protected weights")
            } else if let twin = before[Array(entry.relativePath.utf8)] {
                try compare(twin, entry)
            } else {
                try added(entry)
            }
        }
    }

    /// By the bytes of the name: two Unicode spellings are two files.
    private static func byPath(_ entries: [DirectoryEntry]) -> [[UInt8]: DirectoryEntry] {
        Dictionary(entries.map { (Array($0.relativePath.utf8), $0) }) { first, _ in first }
    }

    private mutating func missing(_ entry: DirectoryEntry) throws {
        let name = entry.relativePath
        if let omission = entry.omission {
            differences.append("\(name) is not in \(protected.path): it \(omission)")
        } else if try HarmlessFile.holds(entry, in: original) {
            differences.append("\(name) is missing from \(protected.path)")
        } else {
            faults.append("\(name) is missing from \(protected.path), and a loader may read it")
        }
    }

    private mutating func added(_ entry: DirectoryEntry) throws {
        let name = entry.relativePath
        guard name != Checkpoint.manifestName else { return }
        if try HarmlessFile.holds(entry, in: protected) {
            let isCard = try name == ModelCard.fileName && withoutCard(entry)?.isEmpty == true
            differences.append(
                "\(name) is not in \(original.path)"
                    + (isCard ? ": \(Manifest.fileName) says that all of it was written as its model card" : ""))
        } else {
            faults.append("\(name) is not in \(original.path), and a loader may read or run it")
        }
    }

    private mutating func compare(_ before: DirectoryEntry, _ after: DirectoryEntry) throws {
        let name = after.relativePath
        guard before.isFile, after.isFile else {
            if before.status.isSameFile(as: after.status) { return }
            if HarmlessFile.isBookkeeping(name) {
                differences.append("\(name) was not compared: no loader reads it")
            } else {
                faults.append("\(name) is no file that could be compared, and a loader may follow it")
            }
            return
        }
        let isSame = try original.withBytes(of: before) { a in try protected.withBytes(of: after) { b in same(a, b) } }
        if isSame {
            if isUntied, name == "config.json" { faults.append(Self.stillTied) }
            guard let omission = after.omission, omission != .hidden else { return }
            differences.append("\(name) is the same in both, but \(omission)")
        } else if name == Checkpoint.manifestName {
            differences.append("\(name) differs")
        } else if try HarmlessFile.holds(before, in: original), try HarmlessFile.holds(after, in: protected) {
            let text = name == ModelCard.fileName ? try withoutCard(after) : nil
            let isExtended = try text.map { text in try original.withBytes(of: before) { $0.elementsEqual(text) } }
            differences.append(
                isExtended == true
                    ? "\(name) is the original's but for what \(Manifest.fileName) says was added as its model card"
                    : "\(name) differs")
        } else {
            try compareText(before, after)
        }
    }

    /// The protected model's card without what its manifest says was added.
    private func withoutCard(_ entry: DirectoryEntry) throws -> [UInt8]? {
        try card.flatMap { card in try protected.withBytes(of: entry) { card.undone(Array($0)) } }
    }

    /// Names what differs where both files are JSON.
    private mutating func compareText(_ before: DirectoryEntry, _ after: DirectoryEntry) throws {
        let name = after.relativePath
        let a = try original.withBytes(of: before) { try? JSONDocument(parsing: Array($0)) }
        let b = try protected.withBytes(of: after) { try? JSONDocument(parsing: Array($0)) }
        guard name.hasSuffix(".json"), let a, let b else {
            faults.append("\(name) differs, and a loader may read it")
            return
        }
        let declared: Set<String> = isUntied && name == "config.json" ? [UntiedHead.key] : []
        let found = JSONComparison(
            a.root, b.root, without: name == "config.json" ? Self.inertKeys.union(declared) : [])
        if !declared.isEmpty {
            if b.root[UntiedHead.key]?.bool == false {
                differences.append("\(name): \(UntiedHead.key) is false, as the head has gains of its own now")
            } else {
                faults.append(Self.stillTied)
            }
        } else if found.differences.isEmpty {
            differences.append("\(name) says the same in other words")
        }
        faults += found.differences.map { "\(name): \($0)" }
    }

    private static let stillTied =
        "config.json: \(UntiedHead.key) is not false, though the head has gains of its own now"

    /// Members of config.json that transformers overwrites when it loads.
    private static let inertKeys: Set<String> = ["_name_or_path", "_commit_hash"]
}

extension FileComparison {
    /// In which files the tensors lie: a loader must find them as it found the original's.
    private mutating func compareLayout() {
        let (before, after) = (original.shards.map(\.fileName), protected.shards.map(\.fileName))
        let kept = original.shards.compactMap(\.header.metadata)
        for shard in protected.shards {
            if let metadata = shard.header.metadata {
                if !kept.contains(where: { JSONComparison($0, metadata).differences.isEmpty }) {
                    faults.append("\(shard.fileName): its __metadata__ is none of the original's")
                }
            } else if kept.count == original.shards.count {
                differences.append("\(shard.fileName) has no __metadata__")
            }
        }
        guard !original.isSingleFile, !protected.isSingleFile else { return }
        if before != after {
            if after != [Checkpoint.singleName], protected.index == nil {
                faults.append(
                    "\(Checkpoint.indexName) is missing from \(protected.path): a loader would not find the weights")
            } else {
                differences.append("the weights lie in \(after.count) files, in the original in \(before.count)")
            }
        }
        compareIndex(isResharded: before != after)
    }

    /// transformers takes the dtype from an index that names one.
    private mutating func compareIndex(isResharded: Bool) {
        let name = Checkpoint.indexName
        guard let after = protected.index else {
            if let before = original.index, !isResharded || before["metadata"]?["dtype"] != nil {
                faults.append("\(name) is missing from \(protected.path), and a loader may read it")
            }
            return
        }
        let isNew = original.index == nil
        let ignored: Set = isResharded || isNew || isUntied ? ["weight_map", "total_size", "total_parameters"] : []
        let found = JSONComparison(
            Self.withMetadata(original.index?.root ?? .object([:])), Self.withMetadata(after.root), without: ignored)
        faults += found.differences.map { "\(name): \($0)" }
        guard found.differences.isEmpty else { return }
        if isNew, !isResharded {
            differences.append("\(name) is not in \(original.path)")
        } else if !isResharded, !isUntied, original.index?.bytes != after.bytes {
            differences.append("\(name) says the same in other words")
        }
    }

    private static func withMetadata(_ root: JSONValue) -> JSONValue {
        guard var object = root.object, object["metadata"] == nil else { return root }
        object["metadata"] = .object([:])
        return .object(object)
    }
}
