import Glibc

/// Recognises the text of a key file wherever it stands: its title, in UTF-8 or UTF-16, and after it 64 hexadecimal digits, however
/// they are broken into lines.
enum SecretKeyText {
    private static let title = Array("mergeproof secret key, version ".utf8)
    /// UTF-16 in either order holds a zero between any two letters.
    private static let wideTitle: [UInt8] = Array(title.map { [$0] }.joined(separator: [0]))

    static func occurs(in bytes: UnsafeRawBufferPointer) -> Bool {
        occurs(title, in: bytes) || occurs(wideTitle, in: bytes)
    }

    private static func occurs(_ title: [UInt8], in bytes: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        while let found = bytes.offset(of: title, from: start) {
            start = found + title.count
            if isFollowedByKey(bytes[start...]) { return true }
        }
        return false
    }

    /// Whether 64 hexadecimal digits in a row stand near the start, blanks, line ends and zero bytes aside.
    private static func isFollowedByKey(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
        var digits = 0
        for byte in bytes.prefix(1024) {
            switch byte {
            case 0x30...0x39, 0x41...0x46, 0x61...0x66: digits += 1
            case 0, 0x09, 0x0a, 0x0d, 0x20: break
            default: digits = 0
            }
            if digits == 64 { return true }
        }
        return false
    }
}

/// Recognises what an earlier protection wrote, under whatever name.
enum ManifestText {
    private static let mark = Array("\"mergeproof-protection/".utf8)

    static func occurs(in bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.first == UInt8(ascii: "{")
            && UnsafeRawBufferPointer(rebasing: bytes.prefix(4096)).offset(of: mark, from: 0) != nil
    }
}

extension UnsafeRawBufferPointer {
    /// Where a run of bytes first occurs at or after `start`.
    fileprivate func offset(of needle: [UInt8], from start: Int) -> Int? {
        guard let base = baseAddress, let first = needle.first else { return nil }
        var place = start
        while place + needle.count <= count, let hit = memchr(base + place, Int32(first), count - place) {
            place = UnsafeRawPointer(hit) - base
            if place + needle.count <= count, memcmp(hit, needle, needle.count) == 0 { return place }
            place += 1
        }
        return nil
    }
}
