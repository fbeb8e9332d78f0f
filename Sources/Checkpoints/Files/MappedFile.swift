import Glibc

/// A file opened read-only and mapped. The mapping lives as long as the object.
final class MappedFile: @unchecked Sendable {
    let path: String
    let bytes: UnsafeRawBufferPointer
    let descriptor: Int32
    private let opened: FileStatus
    private let system: any SystemCalls

    init(path: String, system: any SystemCalls) throws(CheckpointError) {
        // A pipe in a file's place must not make us wait for a writer.
        let descriptor = try system.open(path, flags: O_RDONLY | O_NONBLOCK, mode: 0)
        do throws(CheckpointError) {
            opened = try system.status(descriptor, path: path)
            guard opened.kind == .file else { throw .notAFileOrDirectory(path: path) }
            bytes =
                opened.size > 0
                ? UnsafeRawBufferPointer(
                    start: try system.map(descriptor, count: opened.size, path: path), count: opened.size)
                : UnsafeRawBufferPointer(start: nil, count: 0)
        } catch {
            system.close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        self.system = system
    }

    deinit {
        if let base = bytes.baseAddress { system.unmap(base, count: bytes.count) }
        system.close(descriptor)
    }

    var permissions: mode_t { opened.mode & 0o777 }

    /// Throws when this is not the file that was seen before, or was changed since.
    func check(against status: FileStatus) throws(CheckpointError) {
        guard opened == status else { throw .sourceChanged(file: path) }
    }

    /// Throws when the file is no longer what it was when it was opened.
    func checkUnchanged() throws(CheckpointError) {
        guard try system.status(descriptor, path: path) == opened else { throw .sourceChanged(file: path) }
    }

    /// Tells the kernel about a byte range, on the whole pages inside it.
    func advise(_ range: Range<Int>, _ advice: Int32) {
        let page = 4096
        let start = (range.lowerBound + page - 1) / page * page
        let end = range.upperBound / page * page
        guard let base = bytes.baseAddress, end > start else { return }
        system.advise(base + start, count: end - start, advice: advice)
    }
}
