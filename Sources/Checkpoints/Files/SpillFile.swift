import Glibc

/// Memory that the kernel may put on a disk: the mapping of a file without a name, gone with this object or with the process.
package final class SpillFile: @unchecked Sendable {
    package let bytes: UnsafeMutableRawBufferPointer

    /// - Parameter directory: on the file system that is to take it.
    package init(byteCount: Int, in directory: String) throws(CheckpointError) {
        var name = Array("\(directory)/.mergeproof-spill-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw .systemCall(call: "mkstemp", path: directory, code: errno) }
        defer { close(descriptor) }
        unlink(name)
        // Space is taken now: a full disk must not end the process when a page is written.
        let code = posix_fallocate(descriptor, 0, off_t(max(byteCount, 1)))
        guard code == 0 else {
            throw code == ENOSPC
                ? .diskFull(path: directory) : .systemCall(call: "posix_fallocate", path: directory, code: code)
        }
        let map = mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let map, map != MAP_FAILED else { throw .systemCall(call: "mmap", path: directory, code: errno) }
        bytes = UnsafeMutableRawBufferPointer(start: map, count: byteCount)
    }

    deinit { munmap(bytes.baseAddress, max(bytes.count, 1)) }
}
