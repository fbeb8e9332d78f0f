import Glibc

/// The one seam through which this project touches files: replace it to fail any call.
public protocol SystemCalls: Sendable {
    func open(_ path: String, flags: Int32, mode: mode_t) throws(CheckpointError) -> Int32
    func close(_ descriptor: Int32)
    func status(_ path: String) throws(CheckpointError) -> FileStatus
    func status(_ descriptor: Int32, path: String) throws(CheckpointError) -> FileStatus
    /// Of the link itself, not of what it leads to.
    func linkStatus(_ path: String) throws(CheckpointError) -> FileStatus
    /// Names in a directory, without `.` and `..`, sorted by bytes.
    func list(_ path: String) throws(CheckpointError) -> [String]
    func realPath(_ path: String) throws(CheckpointError) -> String
    func map(_ descriptor: Int32, count: Int, path: String) throws(CheckpointError) -> UnsafeRawPointer
    func unmap(_ base: UnsafeRawPointer, count: Int)
    func advise(_ base: UnsafeRawPointer, count: Int, advice: Int32)
    /// Reads until the buffer is full or the file ends.
    func read(
        _ descriptor: Int32, into: UnsafeMutableRawBufferPointer, offset: Int, path: String
    )
        throws(CheckpointError) -> Int
    /// Reads on from where the descriptor stands, a pipe's or a terminal's too, until the buffer is full or nothing more comes.
    func read(
        _ descriptor: Int32, into: UnsafeMutableRawBufferPointer, path: String
    )
        throws(CheckpointError) -> Int
    /// Writes all bytes.
    func write(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, offset: Int, path: String)
        throws(CheckpointError)
    /// Reserves the blocks of a file and sets its size.
    func allocate(_ descriptor: Int32, size: Int, path: String) throws(CheckpointError)
    func synchronize(_ descriptor: Int32, path: String) throws(CheckpointError)
    func changeMode(_ descriptor: Int32, mode: mode_t, path: String) throws(CheckpointError)
    func makeDirectory(_ path: String) throws(CheckpointError)
    func removeDirectory(_ path: String) throws(CheckpointError)
    func unlink(_ path: String) throws(CheckpointError)
    /// Fails with `outputExists` instead of replacing.
    func renameWithoutReplacing(_ from: String, to: String) throws(CheckpointError)
    /// Replaces an empty directory, and nothing else where a directory is renamed.
    func rename(_ from: String, to: String) throws(CheckpointError)
    /// Shares blocks with the source; false where the file system cannot.
    func clone(_ destination: Int32, from source: Int32) -> Bool
    /// Takes an exclusive lock; false when somebody holds it.
    func lock(_ descriptor: Int32, path: String) throws(CheckpointError) -> Bool
    /// Bytes that an unprivileged user may still write.
    func availableSpace(_ path: String) throws(CheckpointError) -> Int
}

/// What stat tells of a file.
public struct FileStatus: Sendable, Equatable {
    public enum Kind: Sendable { case file, directory, link, other }
    public let kind: Kind
    public let size: Int
    public let mode: mode_t
    public let device: UInt
    public let inode: UInt
    public let modifiedSeconds: Int
    public let modifiedNanoseconds: Int
}
