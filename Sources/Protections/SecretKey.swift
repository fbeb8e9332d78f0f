import Checkpoints
import Crypto
import Glibc
import LinearAlgebra

/// 256 secret bits from which every element of a protection follows. Never printed.
///
/// File format, three lines of text: a title with the format's version, the key in hexadecimal, and the first four bytes of the
/// SHA-256 of the key's bytes, which tell a damaged file from a good one.
public struct SecretKey: Sendable, Equatable {
    static let title = "mergeproof secret key, version 1"
    private let bytes: [UInt8]

    /// A fresh key from the system's generator.
    public init() {
        bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
    }

    /// - Precondition: 32 bytes.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == 32)
        self.bytes = bytes
    }

    public init(readingFrom path: String, system: any SystemCalls = PosixSystemCalls()) throws {
        let descriptor = try system.open(path, flags: O_RDONLY, mode: 0)
        defer { system.close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try buffer.withUnsafeMutableBytes {
            try system.read(descriptor, into: $0, offset: 0, path: path)
        }
        let lines = String(decoding: buffer.prefix(count), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: true)
        guard lines.first.map(String.init) == Self.title else { throw ProtectionError.notAKey(path: path) }
        guard lines.count == 3, let key = Hexadecimal.bytes(lines[1]), key.count == 32,
            Hexadecimal.text(Self.checksum(key)) == lines[2]
        else { throw ProtectionError.damagedKey(path: path) }
        bytes = key
    }

    /// Writes a new file that only its owner can read; an existing file is never replaced.
    public func write(to path: String, system: any SystemCalls = PosixSystemCalls()) throws {
        let text = [Self.title, Hexadecimal.text(bytes), Hexadecimal.text(Self.checksum(bytes)), ""].joined(
            separator: "\n")
        let descriptor: Int32
        do { descriptor = try system.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600) } catch {
            guard case .systemCall(_, _, EEXIST) = error else { throw error }
            throw CheckpointError.outputExists(path: path)
        }
        defer { system.close(descriptor) }
        do {
            try system.changeMode(descriptor, mode: 0o600, path: path)
            try Array(text.utf8).withUnsafeBytes { try system.write(descriptor, $0, offset: 0, path: path) }
            try system.synchronize(descriptor, path: path)
        } catch {
            try? system.unlink(path)
            throw error
        }
    }

    /// True when others than the owner may read the file.
    public static func isExposed(_ path: String, system: any SystemCalls = PosixSystemCalls()) throws -> Bool {
        try system.status(path).mode & 0o077 != 0
    }

    /// Names the key without telling it: 8 bytes derived by HKDF, in hexadecimal.
    public var identifier: String {
        var stream = self.stream("key identifier")
        return Hexadecimal.text(withUnsafeBytes(of: stream.next().littleEndian) { Array($0) })
    }

    /// The random stream of a site.
    public func stream(_ name: String) -> KeyedRandomStream {
        KeyedRandomStream(secret: bytes, info: "mergeproof/1/" + name)
    }

    /// HKDF-SHA-256 of the key, 32 bytes.
    func root(salt: [UInt8], info: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes), salt: salt, info: Array(info.utf8), outputByteCount: 32)
    }

    private static func checksum(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes).prefix(4)) }
}

extension SecretKey: CustomStringConvertible, CustomReflectable {
    public var description: String { "a secret key" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
