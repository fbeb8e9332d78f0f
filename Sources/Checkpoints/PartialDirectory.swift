import Glibc

/// The directory beside the target in which an output grows until it is whole. It is locked while its run lives; what a killed
/// run left is removed by the next run for the same target.
struct PartialDirectory {
    static let suffix = ".mergeproof-partial"

    let path: String
    private let target: String
    private let parent: String
    private let lock: Int32
    private let system: any SystemCalls

    /// - Parameters:
    ///   - input: the source directory, which the target may not lie in.
    ///   - mode: what the output allows at most.
    init(for target: String, input: String, mode: mode_t, system: any SystemCalls) throws(CheckpointError) {
        var trimmed = Substring(target)
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        let name = Checkpoint.lastComponent(String(trimmed))
        let above = String(trimmed.dropLast(name.count))
        parent = above.isEmpty ? "." : above
        self.target = String(trimmed)
        self.system = system

        if try Self.isThere(self.target, system) { throw .outputExists(path: self.target) }
        let (realParent, realInput) = (try Self.real(parent, system), try system.realPath(input))
        guard try system.status(realParent).kind == .directory else { throw .outputParentMissing(path: parent) }
        if (realParent + "/").hasPrefix(realInput + "/") {
            throw .outputOverlapsInput(output: self.target, input: input)
        }
        path = (parent.hasSuffix("/") ? parent : parent + "/") + "." + name + Self.suffix
        lock = try Self.create(path, target: self.target, mode: mode, system)
    }

    /// Also true for a link that leads nowhere.
    private static func isThere(_ path: String, _ system: any SystemCalls) throws(CheckpointError) -> Bool {
        do {
            _ = try system.linkStatus(path)
            return true
        } catch {
            switch error {
            case .notFound, .systemCall(_, _, ENOTDIR): return false
            default: throw error
            }
        }
    }

    private static func real(_ parent: String, _ system: any SystemCalls) throws(CheckpointError) -> String {
        do { return try system.realPath(parent) } catch {
            if case .notFound = error { throw .outputParentMissing(path: parent) }
            throw error
        }
    }

    /// Makes the directory, or takes over one that no living run holds, and locks it.
    private static func create(
        _ path: String, target: String, mode: mode_t, _ system: any SystemCalls
    ) throws(CheckpointError) -> Int32 {
        var isFresh = true
        do { try system.makeDirectory(path) } catch {
            guard case .systemCall(_, _, EEXIST) = error else { throw error }
            isFresh = false
        }
        do throws(CheckpointError) {
            let descriptor = try system.open(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, mode: 0)
            do throws(CheckpointError) {
                guard try system.lock(descriptor, path: path) else { throw .outputBusy(path: target) }
                if !isFresh { try removeContents(of: path, system) }
                try restrict(descriptor, to: mode, path: path, system)
            } catch {
                system.close(descriptor)
                throw error
            }
            return descriptor
        } catch {
            if isFresh { try? system.removeDirectory(path) }
            throw error
        }
    }

    /// Takes from a directory what `mode` does not allow; its owner keeps everything.
    static func restrict(
        _ descriptor: Int32, to mode: mode_t, path: String, _ system: any SystemCalls
    ) throws(CheckpointError) {
        let own = try system.status(descriptor, path: path).mode
        let stricter = own & (mode | ~0o777) | 0o700
        if stricter != own { try system.changeMode(descriptor, mode: stricter, path: path) }
    }

    private static func removeContents(of path: String, _ system: any SystemCalls) throws(CheckpointError) {
        for name in try system.list(path) {
            let child = path + "/" + name
            do { try system.unlink(child) } catch {
                guard case .systemCall(_, _, EISDIR) = error else { throw error }
                try removeContents(of: child, system)
                try system.removeDirectory(child)
            }
        }
    }

    /// Removes everything; called when the run failed.
    func discard() {
        try? Self.removeContents(of: path, system)
        try? system.removeDirectory(path)
        system.close(lock)
    }

    /// Makes the whole output visible at once, under its own name.
    func publish() throws(CheckpointError) {
        try system.synchronize(lock, path: path)
        try system.renameWithoutReplacing(path, to: target)
    }

    /// Makes the new name durable; the output is complete already.
    func settle() throws(CheckpointError) {
        system.close(lock)
        let above = try system.open(parent, flags: O_RDONLY | O_DIRECTORY, mode: 0)
        defer { system.close(above) }
        try system.synchronize(above, path: parent)
    }

    /// Bytes that may still be written here.
    func availableSpace() throws(CheckpointError) -> Int { try system.availableSpace(path) }
}
