import Checkpoints
import Crypto
import Glibc

/// A key's file, three lines of text: a title with the format's version, the key in hexadecimal, and the first four bytes of the
/// SHA-256 of the key's bytes in hexadecimal, which tell a damaged file from a good one.
///
/// What editors and other systems leave in a text is no damage: a byte order mark, blanks around a line, line ends of any kind,
/// empty lines.
extension SecretKey {
    private static let title = "mergeproof secret key, version 1"
    private static let checksumBytes = 4
    /// No key file is longer.
    private static let maximumFileBytes = 4096

    /// Reads a key file, a pipe or a descriptor such as /dev/fd/3.
    ///
    /// - Parameters:
    ///   - path: `-` for standard input.
    ///   - exposed: called when others than its owner may read the file; a pipe has no other readers.
    public init(
        readingFrom path: String, system: any SystemCalls = PosixSystemCalls(), exposed: () -> Void = {}
    ) throws {
        let isStandardInput = path == "-"
        // A named pipe must not keep us in open until somebody writes.
        let descriptor = isStandardInput ? STDIN_FILENO : try system.open(path, flags: O_RDONLY | O_NONBLOCK, mode: 0)
        defer { if !isStandardInput { system.close(descriptor) } }
        let name = isStandardInput ? "standard input" : path
        let status = try system.status(descriptor, path: name)
        guard status.kind != .directory else { throw ProtectionError.notAKey(path: name) }
        // One byte more than a key file may have tells that there is more.
        let text = SecretBytes(count: Self.maximumFileBytes + 1)
        let count = try system.read(descriptor, into: text.buffer, path: name)
        guard count <= Self.maximumFileBytes else { throw ProtectionError.notAKey(path: name) }
        try self.init(parsing: UnsafeRawBufferPointer(rebasing: text.bytes[..<count]), name: name)
        if !isStandardInput, status.kind == .file, status.mode & 0o077 != 0 { exposed() }
    }

    private init(parsing text: UnsafeRawBufferPointer, name: String) throws(ProtectionError) {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let lines = text.dropFirst(text.starts(with: mark) ? mark.count : 0)
            .split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            .map(Self.trimmed).filter { !$0.isEmpty }
        guard let first = lines.first, first.elementsEqual(Self.title.utf8) else { throw .notAKey(path: name) }
        guard lines.count == 3, let secret = Self.decode(lines[1], count: Self.byteCount),
            let checksum = Self.decode(lines[2], count: Self.checksumBytes),
            checksum.bytes.elementsEqual(Self.checksum(secret.bytes))
        else { throw .damagedKey(path: name) }
        self.init(secret)
    }

    /// Writes a new file that only its owner can read; an existing file is never replaced.
    public func write(to path: String, system: any SystemCalls = PosixSystemCalls()) throws {
        let text = fileText
        try withExtendedLifetime(text) { try PrivateFile.write(text.bytes, to: path, system: system) }
    }

    private var fileText: SecretBytes {
        let title = Array((Self.title + "\n").utf8)
        let text = SecretBytes(count: title.count + 2 * (Self.byteCount + Self.checksumBytes) + 2)
        var place = 0
        func append(_ byte: UInt8) {
            text.buffer[place] = byte
            place += 1
        }
        func appendLine(_ bytes: some Sequence<UInt8>) {
            for byte in bytes {
                for digit in [byte >> 4, byte & 15] {
                    append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                }
            }
            append(UInt8(ascii: "\n"))
        }
        title.forEach(append)
        appendLine(secret.bytes)
        appendLine(Self.checksum(secret.bytes))
        return text
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        Array(SHA256.hash(data: bytes).prefix(checksumBytes))
    }

    private typealias Line = Slice<UnsafeRawBufferPointer>

    private static func trimmed(_ line: Line) -> Line {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var line = line.drop(while: isBlank)
        while let last = line.last, isBlank(last) { line = line.dropLast() }
        return line
    }

    /// Bytes from pairs of hexadecimal digits; nil unless there are exactly `count`.
    private static func decode(_ line: Line, count: Int) -> SecretBytes? {
        guard line.count == 2 * count else { return nil }
        let decoded = SecretBytes(count: count)
        for (place, character) in line.enumerated() {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
            default: return nil
            }
            decoded.buffer[place / 2] |= place % 2 == 0 ? digit << 4 : digit
        }
        return decoded
    }
}
