import Checkpoints
import Protections
import TestSupport
import Testing

@Suite struct SecretKeyTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    @Test func aKeyFileIsPrivateAndReadsBack() throws {
        let key = SecretKey()
        try key.write(to: folder("k"))
        #expect(Files.permissions(folder("k")) == 0o600)
        #expect(try SecretKey(readingFrom: folder("k")) == key)
        #expect(SecretKey() != key)
    }

    @Test func anExistingFileIsNeverReplaced() throws {
        try Files.write("mine", to: folder("k"))
        #expect(throws: CheckpointError.outputExists(path: folder("k"))) { try SecretKey().write(to: folder("k")) }
        #expect(try Files.read(folder("k")) == Array("mine".utf8))
    }

    @Test func damageIsTold() throws {
        try SecretKey().write(to: folder("k"))
        let text = try Files.read(folder("k"))
        for place in text.indices where text[place] != UInt8(ascii: "\n") {
            var damaged = text
            damaged[place] = damaged[place] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            try Files.write(damaged, to: folder("d"))
            #expect(throws: ProtectionError.self) { try SecretKey(readingFrom: folder("d")) }
        }
        try Files.write(Array(text.dropLast(12)), to: folder("d"))
        #expect(throws: ProtectionError.damagedKey(path: folder("d"))) { try SecretKey(readingFrom: folder("d")) }
        try Files.write("hello\n", to: folder("d"))
        #expect(throws: ProtectionError.notAKey(path: folder("d"))) { try SecretKey(readingFrom: folder("d")) }
        #expect(throws: CheckpointError.notFound(path: folder("none"))) { try SecretKey(readingFrom: folder("none")) }
    }

    @Test func nothingPrintsTheKey() throws {
        let key = SecretKey(bytes: [UInt8](repeating: 0xab, count: 32))
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), dumped, key.identifier] {
            #expect(!text.contains("abab") && !text.contains("171"))
        }
    }

    /// A key of version 1 must give the same elements for ever.
    @Test func version1StaysReadable() throws {
        let text =
            "mergeproof secret key, version 1\n"
            + (0..<32).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try Files.write(text + "\n630dcd29\n", to: folder("k"))
        let key = try SecretKey(readingFrom: folder("k"))
        #expect(key == SecretKey(bytes: [UInt8](0..<32)))
        var stream = key.stream("layers.0.attention.vo.0")
        #expect(stream.next() == 5_661_100_918_102_534_828)
        #expect(key.identifier == "cccb2d55362024b7")
    }
}
