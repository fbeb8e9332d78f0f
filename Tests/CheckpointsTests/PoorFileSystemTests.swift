import Checkpoints
import Glibc
import Synchronization
import TestSupport
import Testing

/// File systems that lack a call: the output is written all the same, and what is weaker for it is told.
@Suite struct PoorFileSystemTests {
    private let source: TemporaryDirectory
    private let target: TemporaryDirectory

    init() throws {
        source = try TemporaryDirectory()
        target = try TemporaryDirectory()
        var builder = SafetensorsBuilder()
        builder.add("large", "F32", [3000], byteCount: 12_000)
        builder.add("scalar", "I64", [], byteCount: 8)
        try Files.write(builder.build(), to: source("model.safetensors"))
        try ModelBuilder.writeSidecars(in: source.path)
    }

    private final class Notices: Sendable {
        let all = Mutex<[FileSystemNotice]>([])
    }

    private func write(
        _ name: String, missing: [String: Int32], during: (@Sendable () throws -> Void)? = nil
    ) throws -> [FileSystemNotice] {
        let system = FaultInjectingSystemCalls(missing: missing)
        let notices = Notices()
        let checkpoint = try Checkpoint(opening: source.path, system: system)
        let plan = OutputPlan.keepingShards(of: checkpoint)
        try CheckpointWriter(
            system: system, threads: 2, notice: { notice in notices.all.withLock { $0.append(notice) } }
        )
        .write(plan, to: target(name), observer: during.map(MeddlingObserver.init))
        return notices.all.withLock { $0 }
    }

    private var partial: String { target(".out.mergeproof-partial") }

    @Test(arguments: [
        ("rename", EINVAL), ("rename", ENOSYS), ("rename", EOPNOTSUPP), ("fallocate", EOPNOTSUPP),
        ("fallocate", ENOSYS),
        ("fallocate", EINVAL), ("flock", ENOLCK), ("flock", EOPNOTSUPP), ("flock", ENOSYS), ("flock", EBADF),
        ("fsync", EINVAL), ("fsync", ENOSYS), ("fsync", EBADF), ("fchmod", EPERM), ("fchmod", EOPNOTSUPP),
        ("fchmod", ENOSYS),
    ])
    func outputsAreWhole(call: String, code: Int32) throws {
        let notices = try write("out", missing: [call: code])
        #expect(Files.names(in: target.path) == ["out"])
        #expect(try Files.tree(target("out")) == Files.tree(source.path))
        switch call {
        case "flock": #expect(notices == [.noLocks(path: partial)])
        case "fsync": #expect(notices.count == 1 && notices[0].description.contains("loss of power"))
        case "fchmod": #expect(notices.count == 1 && notices[0].description.contains("permissions"))
        default: #expect(notices.isEmpty)
        }
        #expect(notices.allSatisfy { !$0.description.contains("\n") })
    }

    @Test func everythingMayBeMissingAtOnce() throws {
        let missing = ["rename": EINVAL, "fallocate": ENOSYS, "flock": ENOLCK, "fsync": EINVAL, "fchmod": EPERM]
        #expect(try write("out", missing: missing).count == 3)
        #expect(try Files.tree(target("out")) == Files.tree(source.path))
    }

    @Test(arguments: [("fsync", EIO), ("fchmod", EIO), ("fallocate", EIO), ("flock", EIO), ("rename", EACCES)])
    func realFailuresStay(call: String, code: Int32) throws {
        #expect(throws: CheckpointError.self) { try write("out", missing: [call: code]) }
        #expect(Files.names(in: target.path).isEmpty)
    }

    /// A plain rename replaces no file, no link and no directory with something in it.
    @Test func plainRenamesReplaceNothing() throws {
        #expect(throws: CheckpointError.outputExists(path: target("out"))) {
            try write("out", missing: ["rename": EINVAL]) { try Files.write("mine", to: target("out")) }
        }
        #expect(try Files.read(target("out")) == Array("mine".utf8))
        Files.remove(target("out"))
        #expect(throws: CheckpointError.outputExists(path: target("out"))) {
            try write("out", missing: ["rename": EINVAL]) {
                try Files.makeDirectory(target("out"))
                try Files.write("mine", to: target("out/file"))
            }
        }
        #expect(try Files.tree(target.path) == ["out/file": Array("mine".utf8)])
    }

    /// Without locks nobody can tell what another run left from what it is at work on.
    @Test func remainsAreNotTakenOverWithoutLocks() throws {
        try Files.makeDirectory(partial)
        try Files.write("at work", to: partial + "/model.safetensors")
        #expect(throws: CheckpointError.partialOutput(path: partial)) { try write("out", missing: ["flock": ENOLCK]) }
        #expect(try Files.tree(target.path) == [".out.mergeproof-partial/model.safetensors": Array("at work".utf8)])
    }

    @Test func namesMayBeAsLongAsAFileSystemTakes() throws {
        let (long, other) = (String(repeating: "ä", count: 127), String(repeating: "ä", count: 126) + "ö")
        for name in [long, other, String(repeating: "x", count: 255)] {
            _ = try write(name, missing: [:])
            #expect(try Files.tree(target(name)) == Files.tree(source.path))
        }
        #expect(Files.names(in: target.path).count == 3)
        #expect(throws: CheckpointError.self) { try write(String(repeating: "x", count: 256), missing: [:]) }
    }

    @Test func namesThatAreNoTextAreRefusedByName() throws {
        var bytes = Array((source.path + "/bad").utf8CString.dropLast())
        bytes += [CChar(bitPattern: 0xff), 0]
        close(open(bytes, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: CheckpointError.nameNotUTF8(directory: source.path, name: "bad\u{fffd}")) {
            try Checkpoint(opening: source.path)
        }
        unlink(bytes)
    }
}
