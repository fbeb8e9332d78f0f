import Checkpoints
import Glibc
import Protections
import TestSupport
import Testing

/// What is read as a key file: what editors, shells and other systems make of one, and nothing else.
@Suite struct KeyFileTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey()
    private let text: String

    init() throws {
        folder = try TemporaryDirectory()
        try key.write(to: folder("k"))
        text = String(decoding: try Files.read(folder("k")), as: UTF8.self)
    }

    private func read(_ bytes: [UInt8]) throws -> SecretKey {
        try Files.write(bytes, to: folder("variant"))
        return try SecretKey(readingFrom: folder("variant"))
    }

    @Test func dressingIsNoDamage() throws {
        let lines = text.split(separator: "\n").map(String.init)
        for (before, end, after) in [
            ("", "\r\n", ""), ("\u{feff}", "\n", ""), ("\u{feff}", "\r\n", "\r\n\r\n"), ("", "  \t\n", " \n\n\n"),
            ("\n\n", "\r", ""), ("  ", "\n  ", ""), ("", "\n\n", "\t"),
        ] {
            let variant = before + lines.joined(separator: end) + after
            #expect(try read(Array(variant.utf8)) == key, "\(variant.debugDescription)")
        }
        #expect(try read(Array(text.dropLast().utf8)) == key)
        let capitals = [lines[0], lines[1].uppercased(), lines[2].uppercased()].joined(separator: "\n")
        #expect(try read(Array(capitals.utf8)) == key)
    }

    @Test func damageStaysDamage() throws {
        let lines = text.split(separator: "\n").map(String.init)
        let path = folder("variant")
        let turned = (lines[2].first == "0" ? "1" : "0") + lines[2].dropFirst()
        for variant in [
            [lines[0], lines[1], turned], [lines[0], lines[1]], [lines[0]], [lines[0], lines[1], lines[2], "more"],
            [lines[0], lines[1] + "00", lines[2]], [lines[0], String(lines[1].dropLast()), lines[2]],
            [lines[0], lines[1].prefix(10) + " " + lines[1].dropFirst(11), lines[2]],
            [lines[0], lines[1].replacing(/^../, with: "٣"), lines[2]], [lines[0], lines[2], lines[1]],
        ] {
            for end in ["\n", "\r\n"] {
                #expect(throws: ProtectionError.damagedKey(path: path)) {
                    try read(Array(variant.joined(separator: end).utf8))
                }
            }
        }
        for bytes in [
            [], Array("\u{feff}".utf8), Array("\u{feff}\u{feff}\(text)".utf8), [0] + Array(text.utf8),
            Array(text.utf16).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] },
            [UInt8](repeating: 0x20, count: 5000) + Array(text.utf8), [UInt8](repeating: 0, count: 1 << 20),
        ] {
            #expect(throws: ProtectionError.notAKey(path: path)) { try read(bytes) }
        }
        #expect(throws: ProtectionError.notAKey(path: folder.path)) { try SecretKey(readingFrom: folder.path) }
    }

    /// A pipe gives its bytes once, in any pieces, and has no size.
    @Test func pipesAreRead() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let bytes = Array(text.utf8)
        let writer = Thread { [ends] in
            for byte in bytes { _ = withUnsafeBytes(of: byte) { write(ends[1], $0.baseAddress, 1) } }
            close(ends[1])
        }
        var wasExposed = false
        #expect(try SecretKey(readingFrom: "/dev/fd/\(ends[0])") { wasExposed = true } == key)
        writer.join()
        close(ends[0])
        #expect(!wasExposed)
    }

    /// A named pipe whose writer comes late is waited for.
    @Test func namedPipesAreRead() throws {
        try #require(mkfifo(folder("fifo"), 0o644) == 0)
        let (path, bytes) = (folder("fifo"), Array(text.utf8))
        let writer = Thread {
            usleep(150_000)
            let descriptor = open(path, O_WRONLY)
            _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            close(descriptor)
        }
        #expect(try SecretKey(readingFrom: path) == key)
        writer.join()
    }

    @Test(arguments: [0o600, 0o640, 0o604, 0o400])
    func othersEyesAreTold(mode: UInt32) throws {
        chmod(folder("k"), mode)
        var wasExposed = false
        _ = try SecretKey(readingFrom: folder("k")) { wasExposed = true }
        #expect(wasExposed == (mode & 0o077 != 0))
    }

    /// Every call that reading or writing makes may fail: an error, and no half-written key.
    @Test func everyFailureIsAnError() throws {
        for failing in 1...3 {
            let system = FaultInjectingSystemCalls(failing: failing)
            #expect(throws: CheckpointError.self) { try SecretKey(readingFrom: folder("k"), system: system) }
        }
        for failing in 1...4 {
            let system = FaultInjectingSystemCalls(failing: failing)
            #expect(throws: CheckpointError.self) { try key.write(to: folder("new"), system: system) }
            #expect(!Files.exists(folder("new")))
        }
    }
}

/// A thread that tests can wait for.
private final class Thread: @unchecked Sendable {
    private var thread = pthread_t()

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ run: @escaping @Sendable () -> Void) {
        pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(Body(run)).toOpaque())
    }

    func join() { pthread_join(thread, nil) }
}
