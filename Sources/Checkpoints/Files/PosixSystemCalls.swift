import CSystemShims
import Foundations
import Glibc

/// The system calls themselves: EINTR is retried, short transfers are continued, errno becomes a typed error.
public struct PosixSystemCalls: SystemCalls {
    public init() {}

    static func failure(_ call: String, _ path: String) -> CheckpointError {
        switch errno {
        case ENOENT: .notFound(path: path)
        case ENOSPC, EDQUOT: .diskFull(path: path)
        case let code: .systemCall(call: call, path: path, code: code)
        }
    }

    private func retrying<Result: SignedInteger>(
        _ call: String, _ path: String, _ body: () -> Result
    ) throws(CheckpointError) -> Result {
        while true {
            let result = body()
            if result >= 0 { return result }
            if errno != EINTR { throw Self.failure(call, path) }
        }
    }

    public func open(_ path: String, flags: Int32, mode: mode_t) throws(CheckpointError) -> Int32 {
        try retrying("open", path) { Glibc.open(path, flags | O_CLOEXEC, mode) }
    }

    public func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    public func status(_ path: String) throws(CheckpointError) -> FileStatus {
        var buffer = stat()
        _ = try retrying("stat", path) { stat(path, &buffer) }
        return FileStatus(buffer)
    }

    public func status(_ descriptor: Int32, path: String) throws(CheckpointError) -> FileStatus {
        var buffer = stat()
        _ = try retrying("fstat", path) { fstat(descriptor, &buffer) }
        return FileStatus(buffer)
    }

    public func linkStatus(_ path: String) throws(CheckpointError) -> FileStatus {
        var buffer = stat()
        _ = try retrying("lstat", path) { lstat(path, &buffer) }
        return FileStatus(buffer)
    }

    public func list(_ path: String) throws(CheckpointError) -> [String] {
        guard let directory = opendir(path) else { throw Self.failure("opendir", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let (name, repaired) = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                let bytes = raw.prefix { $0 != 0 }
                return (String(validating: bytes, as: UTF8.self), String(decoding: bytes, as: UTF8.self))
            }
            // A name that is no text could not be given to any other call.
            guard let name else { throw .nameNotUTF8(directory: path, name: repaired) }
            if name != ".", name != ".." { names.append(name) }
        }
        // The end of a directory and a failure differ in errno alone.
        guard errno == 0 else { throw Self.failure("readdir", path) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func realPath(_ path: String) throws(CheckpointError) -> String {
        guard let resolved = realpath(path, nil) else { throw Self.failure("realpath", path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    public func map(_ descriptor: Int32, count: Int, path: String) throws(CheckpointError) -> UnsafeRawPointer {
        var base = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0)
        // Some network file systems give private mappings alone.
        if base == MAP_FAILED, [ENODEV, EINVAL, EACCES].contains(errno) {
            base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        }
        guard let base, base != MAP_FAILED else { throw Self.failure("mmap", path) }
        return UnsafeRawPointer(base)
    }

    public func unmap(_ base: UnsafeRawPointer, count: Int) {
        _ = munmap(UnsafeMutableRawPointer(mutating: base), count)
    }

    public func advise(_ base: UnsafeRawPointer, count: Int, advice: Int32) {
        _ = madvise(UnsafeMutableRawPointer(mutating: base), count, advice)
    }

    public func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, offset: Int, path: String
    ) throws(CheckpointError) -> Int {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            let count = try retrying("read", path) {
                pread(descriptor, base + done, buffer.count - done, offset + done)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    public func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, path: String
    ) throws(CheckpointError) -> Int {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            // Whoever holds the other end may never write: a signal must still end the wait.
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, 100)
            if Interruption.isRequested { throw .interrupted }
            if ready < 0, errno != EINTR { throw Self.failure("poll", path) }
            guard ready > 0 else { continue }
            let count = Glibc.read(descriptor, base + done, buffer.count - done)
            if count < 0, errno != EINTR, errno != EAGAIN { throw Self.failure("read", path) }
            if count == 0 { break }
            done += max(count, 0)
        }
        return done
    }

    public func write(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, offset: Int, path: String
    ) throws(CheckpointError) {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            done += try retrying("write", path) { pwrite(descriptor, base + done, bytes.count - done, offset + done) }
        }
    }

    public func allocate(_ descriptor: Int32, size: Int, path: String) throws(CheckpointError) {
        guard size > 0 else { return }
        if mp_fallocate(descriptor, Int64(size)) == 0 { return }
        guard errno == EOPNOTSUPP || errno == ENOSYS else { throw Self.failure("fallocate", path) }
        _ = try retrying("ftruncate", path) { ftruncate(descriptor, size) }
    }

    public func synchronize(_ descriptor: Int32, path: String) throws(CheckpointError) {
        _ = try retrying("fsync", path) { fsync(descriptor) }
    }

    public func changeMode(_ descriptor: Int32, mode: mode_t, path: String) throws(CheckpointError) {
        _ = try retrying("fchmod", path) { fchmod(descriptor, mode) }
    }

    public func makeDirectory(_ path: String) throws(CheckpointError) {
        _ = try retrying("mkdir", path) { mkdir(path, 0o777) }
    }

    public func removeDirectory(_ path: String) throws(CheckpointError) {
        _ = try retrying("rmdir", path) { rmdir(path) }
    }

    public func unlink(_ path: String) throws(CheckpointError) {
        _ = try retrying("unlink", path) { Glibc.unlink(path) }
    }

    public func renameWithoutReplacing(_ from: String, to: String) throws(CheckpointError) {
        if mp_rename_noreplace(from, to) == 0 { return }
        throw Self.renameFailure(to)
    }

    public func rename(_ from: String, to: String) throws(CheckpointError) {
        if Glibc.rename(from, to) != 0 { throw Self.renameFailure(to) }
    }

    private static func renameFailure(_ target: String) -> CheckpointError {
        [EEXIST, ENOTEMPTY, ENOTDIR].contains(errno) ? .outputExists(path: target) : failure("rename", target)
    }

    public func clone(_ destination: Int32, from source: Int32) -> Bool { mp_ficlone(destination, source) == 0 }

    public func lock(_ descriptor: Int32, path: String) throws(CheckpointError) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw Self.failure("flock", path) }
        return false
    }

    public func availableSpace(_ path: String) throws(CheckpointError) -> Int {
        var buffer = statvfs()
        _ = try retrying("statvfs", path) { statvfs(path, &buffer) }
        // File systems that do not count blocks tell of none.
        guard buffer.f_blocks > 0 else { return .max }
        let (bytes, overflow) = Int(buffer.f_bavail).multipliedReportingOverflow(by: Int(buffer.f_frsize))
        return overflow ? .max : bytes
    }
}

extension FileStatus {
    init(_ buffer: stat) {
        let format = buffer.st_mode & S_IFMT
        self.init(
            kind: Self.kind(format), size: buffer.st_size,
            mode: buffer.st_mode & 0o7777, device: buffer.st_dev, inode: buffer.st_ino,
            modifiedSeconds: buffer.st_mtim.tv_sec, modifiedNanoseconds: buffer.st_mtim.tv_nsec)
    }

    private static func kind(_ format: mode_t) -> Kind {
        switch format {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: .other
        }
    }
}
