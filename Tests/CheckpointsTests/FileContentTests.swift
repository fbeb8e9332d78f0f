import Checkpoints
import Glibc
import TestSupport
import Testing

/// What lies beside the weights is judged by what it holds, not by what it is called.
@Suite struct FileContentTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try ModelBuilder.single(in: directory.path, large: 40_000)
    }

    private func entry(_ name: String, including patterns: [String] = []) throws -> DirectoryEntry {
        try #require(
            try Checkpoint(opening: directory.path, including: patterns).entries.first { $0.relativePath == name })
    }

    private static let formats: [(String, [UInt8])] = [
        ("safetensors", [2, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8)), ("pickle", [0x80, 4, 0x95, 0]),
        ("pickle", Array("(dp0\nVa\np1\nI1\ns.".utf8)), ("pickle", Array("cnumpy\nndarray\np0\n.".utf8)),
        ("pickle", Array("}q\0X\u{1}\0\0\0as.".utf8)), ("zip", Array("PK\u{3}\u{4}".utf8)), ("gzip", [0x1f, 0x8b, 8]),
        ("HDF5", [0x89] + Array("HDF\r\n\u{1a}\n".utf8)),
        ("GGUF", Array("GGUF\u{3}\0\0\0".utf8)), ("NumPy", [0x93] + Array("NUMPY\u{1}".utf8)),
        ("tar", [UInt8](repeating: 0, count: 257) + Array("ustar".utf8)), ("xz", [0xfd] + Array("7zXZ\0".utf8)),
        ("zstd", [0x28, 0xb5, 0x2f, 0xfd]), ("bzip2", Array("BZh91AY&SY\u{1}".utf8)), ("zlib", [0x78, 0x9c, 1]),
        ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), ("TensorFlow Lite", Array("\0\0\0\u{18}TFL3".utf8)),
        ("SQLite", Array("SQLite format 3\0".utf8)), ("ELF", Array("\u{7f}ELF".utf8)),
        ("Parquet", Array("PAR1\u{1}".utf8)),
    ]

    @Test(arguments: formats.indices)
    func formatsThatHoldWeightsAreLeftOutUnderAnyName(number: Int) throws {
        let (format, bytes) = Self.formats[number]
        for name in ["model.safetensors.bak", "notes", "vocab.txt", "1_Pooling/config.json", "README.md"] {
            let before = Files.exists(directory(name)) ? try Files.read(directory(name)) : nil
            try Files.write(bytes, to: directory(name))
            #expect(try entry(name).omission == .holdsWeights(format: format), "\(name)")
            #expect(try Checkpoint(opening: directory.path).leftOut == [name])
            if let before { try Files.write(before, to: directory(name)) } else { unlink(directory(name)) }
        }
    }

    private static func numbers(_ count: Int) -> [UInt8] {
        Array((0..<count / 10).map { "0.\(1_000_000 + $0 % 999_999)," }.joined(separator: " ").utf8)
    }

    private static func vocabulary(_ bytes: Int) -> [UInt8] {
        let words = (0..<bytes / 20).map { "\"word\($0 % 9999)ing\": \($0)" }.joined(separator: ", ")
        return Array("{\"model\": {\(words)}}".utf8)
    }

    private static func noise(_ count: Int) -> [UInt8] {
        var state = UInt64(7)
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(state >> 56)
        }
    }

    private static func sentencePiece(pieces: Int) -> [UInt8] {
        (0..<pieces).flatMap { _ in [0x0a, 6, 0x0a, 4] + Array("word".utf8) } + [0x12, 2, 0x08, 0x01]
    }

    /// Raw numbers have no magic: size and kind tell.
    @Test func whatIsUnknownIsCopiedOnlyWhereItIsSmall() throws {
        let base64 = Array(String(repeating: "Zm9vYmFyYmF6cXV4Cg+/", count: 5000).utf8)
        let wrapped = Array(String(repeating: String(repeating: "QUJD", count: 19) + "\n", count: 2000).utf8)
        for (name, bytes, isCopied) in [
            ("raw", Self.noise(60_000), true), ("raw", Self.noise(70_000), false), ("raw", [], true),
            ("x.txt", Self.vocabulary(3_000_000), true), ("x.txt", Self.vocabulary(6_000_000), false),
            ("tokenizer.json", Self.vocabulary(6_000_000), true), ("qwen.tiktoken", Self.vocabulary(6_000_000), true),
            ("vocab.json", Self.numbers(6_000_000), false), ("weights.txt", Self.numbers(100_000), false),
            ("weights.txt", base64, false), ("weights.txt", wrapped, false),
            ("tokenizer.json", Self.noise(100_000), false),
            ("tokenizer.model", Self.sentencePiece(pieces: 600_000), true),
            ("tokenizer.model", Self.noise(70_000), false),
            ("spiece.model", Self.sentencePiece(pieces: 9000) + Self.noise(90_000), false),
            ("preprocessor_config.json", Self.numbers(300_000), true),
            ("truecase.model", Self.vocabulary(100_000), true),
            ("vocab.txt", Array("cat\ndog\np\nA.".utf8), true),
            ("picture.png", [0x89] + Array("PNG\r\n\u{1a}\n".utf8) + Self.noise(100_000), true),
            ("README.md", Array("GGUF files of this model are elsewhere".utf8), true),
            ("README.md", Array("PAR1 and more ".utf8) + Self.vocabulary(70_000), true),
        ] {
            try Files.write(bytes, to: directory(name))
            #expect(try entry(name).isCopied == isCopied, "\(name), \(bytes.count) bytes")
            unlink(directory(name))
        }
    }

    private static let key =
        "mergeproof secret key, version 1\n" + String(repeating: "0f1e2d3c", count: 8) + "\n01234567\n"

    @Test func keysAreFoundInAnySpelling() throws {
        let lines = Self.key.replacing("\n", with: "\r\n")
        let folded = Self.key.replacing("0f1e2d3c0f1e2d3c", with: "0f1e2d3c\n 0F1E2D3C")
        for bytes in [
            Array(Self.key.utf8), Array("\u{feff}\(lines)".utf8), Array("  \(Self.key)  ".utf8), Array(folded.utf8),
            Array("# notes\nmy key:\n> \(Self.key)".utf8), Self.vocabulary(100_000) + Array(Self.key.utf8),
            Self.key.utf8.flatMap { [$0, 0] } as [UInt8], [0xfe, 0xff] + Self.key.utf8.flatMap { [0, $0] },
            Array("mergeproof secret key, version 1\nfor you\n\(Self.key)".utf8),
            Array(Self.key.replacing("version 1", with: "version 27").utf8),
        ] as [[UInt8]] {
            for name in ["notes.md", "1_Pooling/config.json", "vocab.txt"] {
                try Files.write(bytes, to: directory(name))
                #expect(try entry(name).omission == .secretKey)
                #expect(try entry(name, including: ["*", name]).omission == .secretKey)
                try Files.write("{}", to: directory(name))
            }
        }
        for text in [
            "mergeproof secret key, version 1", "mergeproof secret key, version 1\nis the title of a key file\n0f1e",
        ] {
            try Files.write(text, to: directory("notes.md"))
            #expect(try entry("notes.md").isCopied)
        }
        let outside = try TemporaryDirectory()
        try Files.write(Self.key, to: outside("k"))
        try Files.link(directory("linked"), to: outside("k"))
        #expect(try entry("linked", including: ["linked"]).omission == .secretKey)
    }

    @Test func whatTheUserAsksForIsCopied() throws {
        for folder in ["extra", "extra/deep", ".hidden"] { try Files.makeDirectory(directory(folder)) }
        for name in ["extra/a.npz", "extra/deep/b.npz", ".hidden/c", ".d", "m.gguf"] {
            try Files.write("x", to: directory(name))
        }
        func copied(_ patterns: String...) throws -> [String] {
            let checkpoint = try Checkpoint(opening: directory.path, including: patterns)
            #expect(checkpoint.entries.allSatisfy { $0.isCopied == checkpoint.sidecars.contains($0) })
            return checkpoint.entries.filter(\.isIncluded).map(\.relativePath)
        }
        #expect(try copied() == [])
        #expect(try copied("*.npz") == ["extra/a.npz", "extra/deep/b.npz"])
        #expect(try copied("extra/") == ["extra/a.npz", "extra/deep/b.npz"])
        #expect(try copied("*") == ["extra/a.npz", "extra/deep/b.npz", "m.gguf"])
        #expect(try copied(".hidden/*", "m.gg?f") == [".hidden/c", "m.gguf"])
        #expect(try copied("vocab.txt", "none", "model.safetensors") == [])
        let checkpoint = try Checkpoint(opening: directory.path, including: ["*.npz", "none"])
        #expect(checkpoint.unused(["*.npz", "none"]) == ["none"])
    }

    @Test func whatIsNoPlainFileIsNamed() throws {
        let outside = try TemporaryDirectory()
        try Files.write("x", to: outside("x"))
        for folder in [".git", "1_Pooling/.cache", "old"] { try Files.makeDirectory(directory(folder)) }
        for name in [".git/config", ".git/HEAD", ".gitattributes", "1_Pooling/.cache/x", "old/.env"] {
            try Files.write("x", to: directory(name))
        }
        try Files.makeDirectory(directory(".out.mergeproof-partial"))
        try Files.write("x", to: directory(".out.mergeproof-partial/model.safetensors"))
        try Files.write("{\"format\": \"mergeproof-protection/2\"}", to: directory("old/mergeproof.json"))
        try Files.write("{\"format\": \"mergeproof-protection/2\"}", to: directory("mergeproof.json.orig"))
        try Files.link(directory("folder"), to: outside.path)
        try Files.link(directory("circle"), to: ".")
        try Files.link(directory("broken"), to: "nowhere")
        mkfifo(directory("pipe"), 0o644)
        let found = try Checkpoint(opening: directory.path).entries.filter {
            !$0.isCopied && $0.disposition != .weights
        }
        let expected: [(String, Omission)] = [
            (".git", .hidden), (".gitattributes", .hidden), (".out.mergeproof-partial", .remains),
            ("1_Pooling/.cache", .hidden), ("broken", .brokenLink), ("circle", .linkedDirectory),
            ("folder", .linkedDirectory), ("mergeproof.json.orig", .manifest), ("old/.env", .hidden),
            ("old/mergeproof.json", .manifest), ("pipe", .special),
        ]
        #expect(found.map(\.relativePath) == expected.map(\.0))
        #expect(found.map(\.omission) == expected.map(\.1))
    }

    /// Nothing is copied through a key's inode, whatever leads to it.
    @Test func aKeyInsideTheModelIsRefused() throws {
        let outside = try TemporaryDirectory()
        try Files.write(Self.key, to: outside("key"))
        let free = try Checkpoint(opening: directory.path)
        try free.refuseKey(at: outside("key"))
        try Files.makeDirectory(directory(".git"))
        for name in ["key.bin", "1_Pooling/k", ".git/k"] {
            for isLink in [false, true] {
                if isLink {
                    try Files.link(directory(name), to: outside("key"))
                } else {
                    #expect(link(outside("key"), directory(name)) == 0)
                }
                let checkpoint = try Checkpoint(opening: directory.path)
                for path in [outside("key"), directory(name), directory("1_Pooling/../\(name)")] {
                    #expect(throws: CheckpointError.keyInsideModel(key: path, model: directory.path, entry: name)) {
                        try checkpoint.refuseKey(at: path)
                    }
                }
                unlink(directory(name))
            }
        }
    }
}
