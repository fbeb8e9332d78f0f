import Glibc

/// A directory that is removed with everything in it when the object goes.
public final class TemporaryDirectory: Sendable {
    public let path: String

    /// Room that all tests together may need.
    private static let room: UInt64 = 8 << 30

    /// Memory where it has room: tests make many tiny files, which take a disk longer than what is tested.
    private static let base: String = {
        if let chosen = getenv("TMPDIR") { return String(cString: chosen) }
        var status = statvfs()
        let memory = "/dev/shm"
        guard statvfs(memory, &status) == 0, access(memory, W_OK | X_OK) == 0,
            UInt64(status.f_bavail) * UInt64(status.f_frsize) >= room
        else { return "/tmp" }
        return memory
    }()

    /// - Parameter isOnDisk: for large files, sparse ones above all, which would fill the memory.
    public init(isOnDisk: Bool = false) throws {
        let base = isOnDisk ? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" : Self.base
        var template = Array((base + "/mergeproof-tests-XXXXXX").utf8CString)
        guard let made = mkdtemp(&template) else { throw TestFailure("mkdtemp: \(errno)") }
        path = String(cString: made)
    }

    deinit { Files.remove(path) }

    /// The path of a file in the directory.
    public func callAsFunction(_ name: String) -> String { path + "/" + name }
}

/// What a helper of the tests could not do.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Plain file work for tests, apart from the code under test.
public enum Files {
    public static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw TestFailure("fopen \(path): \(errno)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw TestFailure("fwrite \(path)") }
    }

    public static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    public static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw TestFailure("fopen \(path): \(errno)") }
        defer { fclose(file) }
        var status = stat()
        guard fstat(fileno(file), &status) == 0 else { throw TestFailure("fstat \(path)") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        guard fread(&bytes, 1, bytes.count, file) == bytes.count else { throw TestFailure("fread \(path)") }
        return bytes
    }

    public static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 else { throw TestFailure("mkdir \(path): \(errno)") }
    }

    public static func link(_ path: String, to target: String) throws {
        guard symlink(target, path) == 0 else { throw TestFailure("symlink \(path): \(errno)") }
    }

    /// Whether anything is at the path, a broken link included.
    public static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    public static func permissions(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt32(status.st_mode & 0o777) : 0
    }

    public static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Every file below a directory with its bytes; directories and links as their kinds.
    public static func tree(_ directory: String, prefix: String = "") throws -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        for name in names(in: directory) {
            let path = directory + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0 else { throw TestFailure("lstat \(path)") }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: result.merge(try tree(path, prefix: prefix + name + "/")) { a, _ in a }
            case S_IFREG: result[prefix + name] = try read(path)
            default: result[prefix + name] = Array("link or special".utf8)
            }
        }
        return result
    }

    public static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in names(in: path) { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
