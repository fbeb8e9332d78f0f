import Glibc

/// A new file that only its owner can read: a key, a receipt.
package enum PrivateFile {
    /// Writes it whole, or not at all; an existing file is never replaced.
    package static func write(
        _ bytes: UnsafeRawBufferPointer, to path: String, system: any SystemCalls = PosixSystemCalls()
    ) throws(CheckpointError) {
        let descriptor: Int32
        do { descriptor = try system.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600) } catch {
            guard case .systemCall(_, _, EEXIST) = error else { throw error }
            throw .outputExists(path: path)
        }
        defer { system.close(descriptor) }
        do throws(CheckpointError) {
            try system.changeMode(descriptor, mode: 0o600, path: path)
            try system.write(descriptor, bytes, offset: 0, path: path)
            try system.synchronize(descriptor, path: path)
        } catch {
            try? system.unlink(path)
            throw error
        }
    }

    /// Refuses a path at which no such file may be made, before there is anything to write.
    /// - Parameter directories: what it must not lie in; they need not be there yet.
    package static func check(
        _ path: String, outside directories: [String], system: any SystemCalls = PosixSystemCalls()
    ) throws(CheckpointError) {
        let place = resolved(path, system)
        for directory in directories {
            guard (place + "/").hasPrefix(resolved(directory, system) + "/") else { continue }
            throw .privateFileInside(path: path, directory: directory)
        }
        if (try? system.linkStatus(path)) != nil { throw .outputExists(path: path) }
        let parent = split(path).parent
        guard (try? system.status(parent))?.kind == .directory else { throw .outputParentMissing(path: parent) }
    }

    /// Where a path leads, as far as anything is there.
    private static func resolved(_ path: String, _ system: any SystemCalls) -> String {
        if let real = try? system.realPath(path) { return real == "/" ? "" : real }
        let (parent, name) = split(path)
        guard parent != path, !name.isEmpty else { return path }
        return resolved(parent, system) + "/" + name
    }

    private static func split(_ path: String) -> (parent: String, name: String) {
        var path = Substring(path)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
