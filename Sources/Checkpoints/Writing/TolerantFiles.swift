import Glibc
import Synchronization

/// What a file system cannot do, so that a promise is weaker than elsewhere.
public enum FileSystemNotice: Sendable, Hashable {
    case noLocks(path: String)
    case notDurable(path: String)
    case noPermissions(path: String)
}

extension FileSystemNotice: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noLocks(let path):
            "\(path): the file system has no locks, so that two runs with this output at the same time are not kept apart"
        case .notDurable(let path):
            "\(path): the file system does not confirm that it has written to disk; check the output after a loss of power"
        case .noPermissions(let path):
            "\(path): the file system does not keep permissions; see that nobody reads the files who should not"
        }
    }
}

/// File system calls of which some file systems (network, FUSE, FAT) lack a part: where one is missing the next best is done, and
/// what is weaker for it is told, once.
final class TolerantFiles: Sendable {
    let system: any SystemCalls
    private let notice: (@Sendable (FileSystemNotice) -> Void)?
    private let told = Mutex<Set<String>>([])

    init(_ system: any SystemCalls, notice: (@Sendable (FileSystemNotice) -> Void)? = nil) {
        self.system = system
        self.notice = notice
    }

    /// errno of a call that the file system does not know.
    private static let missing: Set<Int32> = [ENOSYS, EOPNOTSUPP, EINVAL]

    private func isMissing(_ error: CheckpointError, or codes: Set<Int32> = []) -> Bool {
        guard case .systemCall(_, _, let code) = error else { return false }
        return Self.missing.contains(code) || codes.contains(code)
    }

    private func tell(_ kind: String, _ message: FileSystemNotice) {
        if told.withLock({ $0.insert(kind).inserted }) { notice?(message) }
    }

    /// Gives a whole directory its name. Where a rename cannot be told to replace nothing, a plain one is still atomic and refuses
    /// everything but an empty directory, in which nothing can be lost.
    func publish(_ from: String, as target: String) throws(CheckpointError) {
        do { try system.renameWithoutReplacing(from, to: target) } catch {
            guard isMissing(error) else { throw error }
            try system.rename(from, to: target)
        }
    }

    /// Locks a directory; false when somebody holds it. Without locks only a directory that this run has made is surely its own.
    func lock(_ descriptor: Int32, path: String, isFresh: Bool) throws(CheckpointError) -> Bool {
        do { return try system.lock(descriptor, path: path) } catch {
            guard isMissing(error, or: [ENOLCK, EBADF]) else { throw error }
            guard isFresh else { throw .partialOutput(path: path) }
            tell("lock", .noLocks(path: path))
            return true
        }
    }

    func synchronize(_ descriptor: Int32, path: String) throws(CheckpointError) {
        do { try system.synchronize(descriptor, path: path) } catch {
            guard isMissing(error, or: [EBADF]) else { throw error }
            tell("fsync", .notDurable(path: path))
        }
    }

    /// Also of a directory that may be written but not read.
    func synchronizeDirectory(_ path: String) throws(CheckpointError) {
        let descriptor: Int32
        do { descriptor = try system.open(path, flags: O_RDONLY | O_DIRECTORY, mode: 0) } catch {
            guard isMissing(error, or: [EACCES]) else { throw error }
            return tell("fsync", .notDurable(path: path))
        }
        defer { system.close(descriptor) }
        try synchronize(descriptor, path: path)
    }

    func changeMode(_ descriptor: Int32, mode: mode_t, path: String) throws(CheckpointError) {
        do { try system.changeMode(descriptor, mode: mode, path: path) } catch {
            guard isMissing(error, or: [EPERM]) else { throw error }
            tell("fchmod", .noPermissions(path: path))
        }
    }

    /// Without reservation a full disk shows only when it comes.
    func allocate(_ descriptor: Int32, size: Int, path: String) throws(CheckpointError) {
        do { try system.allocate(descriptor, size: size, path: path) } catch {
            guard isMissing(error) else { throw error }
        }
    }
}

/// Whether a directory is this run's, seen from the thread that removes what a run leaves.
final class OwnershipFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}
