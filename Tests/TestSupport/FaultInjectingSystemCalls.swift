import Checkpoints
import Glibc
import Synchronization

/// The real system calls, of which the k-th from the start fails. With ENOSPC every later call that needs room fails too: a
/// full disk stays full. Calls named in `missing` fail always, as on a file system that lacks them. Without `synchronizes` nothing is
/// forced to the disk.
public final class FaultInjectingSystemCalls: SystemCalls {
    private let real = PosixSystemCalls()
    private let failing: Int
    private let code: Int32
    private let space: Int?
    private let missing: [String: Int32]
    private let synchronizes: Bool
    private let state = Mutex<[(call: String, path: String)]>([])

    public init(
        failing: Int = .max, code: Int32 = EIO, space: Int? = nil, missing: [String: Int32] = [:],
        synchronizes: Bool = true
    ) {
        (self.failing, self.code, self.space, self.missing) = (failing, code, space, missing)
        self.synchronizes = synchronizes
    }

    /// The calls so far.
    public var log: [(call: String, path: String)] { state.withLock { $0 } }

    /// True when this call shall fail.
    private func fails(_ call: String, _ path: String, needsRoom: Bool = false) -> Bool {
        let number = state.withLock { log in
            log.append((call, path))
            return log.count
        }
        return number == failing || (code == ENOSPC && needsRoom && number > failing)
    }

    private func count(_ call: String, _ path: String, needsRoom: Bool = false) throws(CheckpointError) {
        let fails = fails(call, path, needsRoom: needsRoom)
        if let code = missing[call] { throw .systemCall(call: call, path: path, code: code) }
        guard fails else { return }
        throw code == ENOSPC ? .diskFull(path: path) : .systemCall(call: call, path: path, code: code)
    }

    public func open(_ path: String, flags: Int32, mode: mode_t) throws(CheckpointError) -> Int32 {
        try count("open", path, needsRoom: flags & O_CREAT != 0)
        return try real.open(path, flags: flags, mode: mode)
    }

    public func close(_ descriptor: Int32) { real.close(descriptor) }

    public func status(_ path: String) throws(CheckpointError) -> FileStatus {
        try count("stat", path)
        return try real.status(path)
    }

    public func status(_ descriptor: Int32, path: String) throws(CheckpointError) -> FileStatus {
        try count("fstat", path)
        return try real.status(descriptor, path: path)
    }

    public func linkStatus(_ path: String) throws(CheckpointError) -> FileStatus {
        try count("lstat", path)
        return try real.linkStatus(path)
    }

    public func list(_ path: String) throws(CheckpointError) -> [String] {
        try count("opendir", path)
        return try real.list(path)
    }

    public func realPath(_ path: String) throws(CheckpointError) -> String {
        try count("realpath", path)
        return try real.realPath(path)
    }

    public func map(_ descriptor: Int32, count: Int, path: String) throws(CheckpointError) -> UnsafeRawPointer {
        try self.count("mmap", path)
        return try real.map(descriptor, count: count, path: path)
    }

    public func unmap(_ base: UnsafeRawPointer, count: Int) { real.unmap(base, count: count) }

    public func advise(_ base: UnsafeRawPointer, count: Int, advice: Int32) {
        real.advise(base, count: count, advice: advice)
    }

    public func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, offset: Int, path: String
    ) throws(CheckpointError) -> Int {
        try count("read", path)
        return try real.read(descriptor, into: buffer, offset: offset, path: path)
    }

    public func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, path: String
    ) throws(CheckpointError) -> Int {
        try count("read", path)
        return try real.read(descriptor, into: buffer, path: path)
    }
}

extension FaultInjectingSystemCalls {
    public func write(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, offset: Int, path: String
    ) throws(CheckpointError) {
        try count("write", path, needsRoom: true)
        try real.write(descriptor, bytes, offset: offset, path: path)
    }

    public func allocate(_ descriptor: Int32, size: Int, path: String) throws(CheckpointError) {
        try count("fallocate", path, needsRoom: true)
        try real.allocate(descriptor, size: size, path: path)
    }

    public func synchronize(_ descriptor: Int32, path: String) throws(CheckpointError) {
        try count("fsync", path, needsRoom: true)
        if synchronizes { try real.synchronize(descriptor, path: path) }
    }

    public func changeMode(_ descriptor: Int32, mode: mode_t, path: String) throws(CheckpointError) {
        try count("fchmod", path)
        try real.changeMode(descriptor, mode: mode, path: path)
    }

    public func makeDirectory(_ path: String) throws(CheckpointError) {
        try count("mkdir", path, needsRoom: true)
        try real.makeDirectory(path)
    }

    public func removeDirectory(_ path: String) throws(CheckpointError) {
        try count("rmdir", path)
        try real.removeDirectory(path)
    }

    public func unlink(_ path: String) throws(CheckpointError) {
        try count("unlink", path)
        try real.unlink(path)
    }

    public func renameWithoutReplacing(_ from: String, to: String) throws(CheckpointError) {
        try count("rename", to)
        try real.renameWithoutReplacing(from, to: to)
    }

    public func rename(_ from: String, to: String) throws(CheckpointError) {
        try count("plain rename", to)
        try real.rename(from, to: to)
    }

    public func clone(_ destination: Int32, from source: Int32) -> Bool {
        !fails("clone", "") && real.clone(destination, from: source)
    }

    public func lock(_ descriptor: Int32, path: String) throws(CheckpointError) -> Bool {
        try count("flock", path)
        return try real.lock(descriptor, path: path)
    }

    public func availableSpace(_ path: String) throws(CheckpointError) -> Int {
        try count("statvfs", path)
        if let space { return space }
        return try real.availableSpace(path)
    }
}
