import Foundations
import Glibc

/// Every file below a directory, whatever it holds: for those who must tell of all that would be published.
package struct FileTree: Sendable {
    package struct File: Sendable, Equatable {
        /// Relative to the directory, with `/` between components.
        package let path: String
        /// Of what a link leads to; nil where it does not matter which file it is.
        package let status: FileStatus?

        package init(path: String, status: FileStatus? = nil) { (self.path, self.status) = (path, status) }
    }

    /// Links to files among them, by the bytes of their paths.
    package private(set) var files: [File] = []
    /// What is no file and leads to none: links to directories or to nothing, pipes.
    package private(set) var others: [String] = []
    /// Directories that tools keep for themselves (`.git`), which are not gone into.
    package private(set) var toolFolders: [String] = []

    package init(_ path: String, system: any SystemCalls = PosixSystemCalls()) throws(CheckpointError) {
        guard try system.status(path).kind == .directory else { throw .notADirectory(path: path) }
        var pending = [""]
        while let folder = pending.popLast() {
            for name in try system.list(path + "/" + folder) {
                let relative = folder + name
                let own = try system.linkStatus(path + "/" + relative)
                let status = own.kind == .link ? try? system.status(path + "/" + relative) : own
                if let status, status.kind == .file {
                    files.append(File(path: relative, status: status))
                } else if own.kind != .directory {
                    others.append(relative)
                } else if DirectoryListing.toolFolders.contains(name) {
                    toolFolders.append(relative)
                } else {
                    pending.append(relative + "/")
                }
            }
        }
        files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    /// Whether a file is there, or a link that leads to one.
    package static func holdsFile(_ path: String, system: any SystemCalls = PosixSystemCalls()) -> Bool {
        (try? system.status(path))?.kind == .file
    }

    /// Removes a file or a folder with what is in it; links are not followed.
    package static func remove(_ path: String, system: any SystemCalls = PosixSystemCalls()) {
        // A thread that is about to be ended may still add a file.
        for _ in 0..<10 {
            guard let status = try? system.linkStatus(path) else { return }
            guard status.kind == .directory else {
                try? system.unlink(path)
                return
            }
            for name in (try? system.list(path)) ?? [] { remove(path + "/" + name, system: system) }
            try? system.removeDirectory(path)
        }
    }

    /// Of one read.
    private static let chunkBytes = 8 << 20

    /// Reads a file from its first byte to its last, and lets go of what was read.
    ///
    /// - Parameter status: of the file that is meant, where it matters.
    /// - Throws: `sourceChanged` where it is another one, or is written to meanwhile.
    package static func read(
        _ path: String, status: FileStatus? = nil, system: any SystemCalls = PosixSystemCalls(),
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let mapped = try MappedFile(path: path, system: system)
        if let status { try mapped.check(against: status) }
        for start in stride(from: 0, to: mapped.bytes.count, by: chunkBytes) {
            try Interruption.check()
            let chunk = start..<min(start + chunkBytes, mapped.bytes.count)
            try body(UnsafeRawBufferPointer(rebasing: mapped.bytes[chunk]))
            mapped.advise(chunk, Int32(MADV_DONTNEED))
        }
        try mapped.checkUnchanged()
    }
}
