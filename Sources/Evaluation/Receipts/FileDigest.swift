import Checkpoints
import Crypto
import Foundations
import Protections
import Synchronization

/// A file's name and SHA-256, as in-toto's statements have them.
public struct FileDigest: Sendable, Equatable {
    /// Relative to its directory, with `/` between components.
    public let name: String
    /// 64 hexadecimal digits.
    public let sha256: String

    init(name: String, sha256: String) { (self.name, self.sha256) = (name, sha256) }
}

extension FileDigest {
    /// Of the files that hold a model's weights.
    static func weights(of checkpoint: Checkpoint, threads: Int?) throws -> [FileDigest] {
        guard !checkpoint.isSingleFile else {
            let name = checkpoint.shards[0].fileName
            let folder = checkpoint.path.dropLast(name.count)
            return try all(of: [FileTree.File(path: name)], in: folder.isEmpty ? "." : String(folder), threads: threads)
        }
        let files = checkpoint.entries.filter { $0.isFile && $0.disposition == .weights }
            .map { FileTree.File(path: $0.relativePath, status: $0.status) }
        return try all(of: files, in: checkpoint.path, threads: threads)
    }

    /// Of files of a directory, in their order. Files are read side by side, through the page cache and no further.
    static func all(of files: [FileTree.File], in directory: String, threads: Int?) throws -> [FileDigest] {
        let found = Mutex([String](repeating: "", count: files.count))
        // The largest first, so that none of them is left to the end.
        let order = files.indices.sorted { files[$0].status?.size ?? 0 > files[$1].status?.size ?? 0 }
        try WorkerThreads.forEach(files.count, threads: WorkerThreads.count(threads)) { number, _ in
            let place = order[number]
            var hash = SHA256()
            let file = files[place]
            try FileTree.read(directory + "/" + file.path, status: file.status) { hash.update(bufferPointer: $0) }
            let text = Hexadecimal.text(hash.finalize())
            found.withLock { $0[place] = text }
        }
        return found.withLock { zip(files, $0).map { FileDigest(name: $0.path, sha256: $1) } }
    }
}

extension FileDigest: Encodable {
    private enum Key: CodingKey { case name, digest, sha256 }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: .name)
        var digest = container.nestedContainer(keyedBy: Key.self, forKey: .digest)
        try digest.encode(sha256, forKey: .sha256)
    }
}
