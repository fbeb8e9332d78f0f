import Checkpoints
import Foundation
import Foundations
import Glibc
import Protections
import TestSupport
import Testing
import Verification

/// `verify` looks at every file that a loader may read or run.
@Suite struct FileComparisonTests {
    private let folder: TemporaryDirectory
    private var original: String { folder("o") }
    private var protected: String { folder("p") }

    /// Files beside the weights, and whether a loader may read them: written down here by hand, apart from the code under test.
    private static let files: [(name: String, text: String, isLoaded: Bool)] = [
        ("tokenizer.json", "{\"model\": {\"vocab\": {\"a\": 0, \"b\": 1}}}", true),
        ("tokenizer_config.json", "{\"add_bos_token\": true}", true), ("vocab.txt", "a\nb\n", true),
        ("special_tokens_map.json", "{}", true), ("generation_config.json", "{\"temperature\": 0.5}", true),
        ("preprocessor_config.json", "{\"size\": 3}", true), ("chat_template.jinja", "{{ messages }}", true),
        ("modeling_custom.py", "pass\n", true), ("modules.json", "[]", true), ("sentence_bert_config.json", "{}", true),
        ("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}", true), ("custom.xyz", "?", true),
        ("README.md", "# A model\n", false), ("LICENSE", "All.\n", false), ("assets/plot.png", "x", false),
        (".gitattributes", "*.bin filter=lfs\n", false), ("USE_POLICY.md", "Be good.\n", false),
    ]

    init() throws {
        folder = try TemporaryDirectory()
        for path in [original, protected] {
            try EditableModel(reading: Fixtures.path("llama")).write(to: path)
            for directory in ["1_Pooling", "assets"] { try Files.makeDirectory(path + "/" + directory) }
            for file in Self.files { try Files.write(file.text, to: path + "/" + file.name) }
        }
    }

    private func verify() throws -> VerificationReport {
        try AlgebraicVerification(threads: 1).verify(Checkpoint(opening: original), Checkpoint(opening: protected))
    }

    @Test func copiesAreEqual() throws {
        let report = try verify()
        #expect(report.holds && report.problems.isEmpty && report.differences.isEmpty)
    }

    /// Every file changed, emptied, doubled, removed or replaced by a folder: a fault exactly where the table says so.
    @Test(arguments: files.indices)
    func everyFileCounts(number: Int) throws {
        let file = Self.files[number]
        let path = protected + "/" + file.name
        let changes: [(String, () throws -> Void)] = [
            ("removed", { unlink(path) }), ("emptied", { try Files.write("", to: path) }),
            ("a byte more", { try Files.write(file.text + ".", to: path) }),
            (
                "a byte changed",
                { try Files.write([file.text.utf8.first.map { $0 ^ 1 } ?? 0] + file.text.utf8.dropFirst(), to: path) }
            ),
            ("doubled", { try Files.write(file.text + file.text, to: path) }),
        ]
        for (change, apply) in changes {
            try apply()
            let report = try verify()
            #expect(report.holds == !file.isLoaded, "\(file.name) \(change): \(report.problems)")
            #expect(report.problems.count + report.differences.count == 1, "\(file.name) \(change)")
            #expect((report.problems + report.differences).allSatisfy { $0.contains(file.name) })
            try Files.write(file.text, to: path)
        }
        unlink(path)
        try Files.link(path, to: "/nowhere")
        #expect(try verify().holds == file.name.hasPrefix(".git"), "\(file.name) is a broken link")
    }

    /// What is added may be loaded unless it is known that it never is.
    @Test(arguments: [
        ("adapter_config.json", "{}", true), ("adapter_model.safetensors", "x", true), ("adapter_model.bin", "x", true),
        ("pytorch_model.bin", "x", true), ("extra.safetensors", "x", true), ("evil.py", "x", true),
        ("x.so", "\u{7f}ELF", true),
        ("model.gguf", "x", true), ("tf_model.h5", "x", true), ("training_args.bin", "x", true),
        (".hidden.py", "x", true),
        ("config.json.bak", "{}", true), ("added_tokens.json", "{}", true), ("assets/x.pkl", "x", true),
        ("assets/picture.jpg", "PK\u{3}\u{4}", true), ("NOTICE.md", "PK\u{3}\u{4}", true), ("NOTICE", "x", false),
        ("assets/picture.jpg", "x", false), (".gitignore", "x", false), ("README_zh.md", "x", false),
        ("chat_template.json", "{}", true), ("processor_config.json", "{}", true), ("notes", "x", true),
        ("license.py", "x", true),
    ])
    func everyAddedFileCounts(name: String, text: String, isFault: Bool) throws {
        try Files.write(text, to: protected + "/" + name)
        let report = try verify()
        #expect(report.holds == !isFault)
        #expect((isFault ? report.problems : report.differences).contains { $0.hasPrefix(name) })
    }

    /// An adapter that both have acts on weights that only one of them has.
    @Test func anAdapterInBothIsAFault() throws {
        for path in [original, protected] { try Files.write("{}", to: path + "/adapter_config.json") }
        #expect(try !verify().holds)
    }

    /// The hub's cache keeps files as links into a store.
    @Test func linkedFilesAreComparedByContent() throws {
        for file in Self.files {
            rename(protected + "/" + file.name, folder("blob"))
            try Files.link(protected + "/" + file.name, to: folder("blob"))
            #expect(try verify().holds, "\(file.name)")
            try Files.write(file.text + ".", to: folder("blob"))
            #expect(try verify().holds == !file.isLoaded, "\(file.name)")
            unlink(protected + "/" + file.name)
            rename(folder("blob"), protected + "/" + file.name)
            try Files.write(file.text, to: protected + "/" + file.name)
        }
    }

    @Test func foldersAndLinksThatAreAddedCount() throws {
        for make in [
            { try Files.link(protected + "/l", to: original) }, { try Files.link(protected + "/l", to: "nowhere") },
            { mkfifo(protected + "/l", 0o644) },
        ] as [() throws -> Void] {
            try make()
            #expect(try !verify().holds)
            unlink(protected + "/l")
        }
        #expect(try verify().holds)
    }

    /// What protection leaves out by its own rules may be missing; a manifest has no say in it.
    @Test func leftOutFilesMayBeMissing() throws {
        Files.remove(protected)
        for name in ["pytorch_model.bin", "notes.npz", ".hidden"] { try Files.write("x", to: original + "/" + name) }
        _ = try Protector.unsynchronized.protect(
            Checkpoint(opening: original), to: protected, key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(method: .lossless))
        let report = try verify()
        #expect(report.holds && report.problems.isEmpty, "\(report.problems)")
        #expect(
            report.differences.count == 5
                && report.differences.contains { $0.hasPrefix("README.md is the original's but") })
        let manifest = protected + "/mergeproof.json"
        let text = String(decoding: try Files.read(manifest), as: UTF8.self)
        try Files.write(
            text.replacing("\"pytorch_model.bin\"", with: "\"pytorch_model.bin\", \"tokenizer.json\", \"config.json\""),
            to: manifest)
        unlink(protected + "/tokenizer.json")
        #expect(try verify().problems.contains { $0.hasPrefix("tokenizer.json is missing") })
    }

    /// A model card is told of as what it is: an addition where it is one, and else a difference.
    @Test func modelCardsAreNoFault() throws {
        func verify(_ edit: (String) throws -> Void = { _ in }) throws -> String? {
            Files.remove(protected)
            _ = try Protector.unsynchronized.protect(
                Checkpoint(opening: original), to: protected, key: SecretKey(bytes: [UInt8](0..<32)),
                options: ProtectionOptions(method: .lossless))
            try edit(protected + "/README.md")
            let report = try self.verify()
            #expect(report.holds, "\(report.problems)")
            return report.differences.first { $0.hasPrefix("README.md") }
        }
        let added = "README.md is the original's but for what mergeproof.json says was added as its model card"
        #expect(try verify() == added)
        #expect(try verify { try Files.write(Files.read($0) + [0x0a], to: $0) } == "README.md differs")
        #expect(try verify { Files.remove($0) }?.hasPrefix("README.md is missing") == true)
        #expect(try verify { try Files.write("# A model\n", to: $0) } == nil)
        Files.remove(original + "/README.md")
        let own = "README.md is not in \(original)"
        #expect(try verify() == own + ": mergeproof.json says that all of it was written as its model card")
        #expect(try verify { try Files.write("# Mine\n", to: $0) } == own)
    }

    /// Every member of config.json takes part, but for what transformers overwrites when it loads.
    @Test func everyMemberOfTheConfigCounts() throws {
        var model = try EditableModel(reading: original)
        for (key, value) in [
            ("_name_or_path", JSONValue.string("x")), ("_commit_hash", .string("x")), ("dtype", .string("float16")),
            ("torch_dtype", .string("float16")), ("auto_map", .object(["AutoModel": .string("x.X")])),
            ("transformers_version", .string("4.0")), ("use_cache", .bool(false)), ("architectures", .array([])),
            ("rope_theta", .double(10001)), ("vocab_size", .string("1")),
        ] {
            let before = model.config
            model.config[key] = value
            try Files.write(JSONValue.object(model.config).serialized(indented: true), to: protected + "/config.json")
            let report = try verify()
            #expect(report.holds == key.hasPrefix("_"), "\(key): \(report.problems)")
            #expect(key.hasPrefix("_") || report.problems.first?.contains(key) == true, "\(report.problems)")
            model.config = before
        }
        let members = model.config.members.reversed().map { ($0.key, $0.value) }
        try Files.write(JSONValue.object(JSONObject(members)).serialized(), to: protected + "/config.json")
        let report = try verify()
        #expect(report.holds && report.differences.count == 1)
    }

    /// Two spellings that Unicode calls equal are two texts to a tokenizer.
    @Test func unicodeSpellingsAreToldApart() throws {
        for name in ["tokenizer.json", "vocab.txt"] {
            try Files.write("{\"a\": \"\u{e9}\"}", to: original + "/" + name)
            try Files.write("{\"a\": \"e\u{301}\"}", to: protected + "/" + name)
            #expect(try !verify().holds)
            for path in [original, protected] { try Files.write("{}", to: path + "/" + name) }
        }
        try Files.write("x", to: original + "/\u{e9}.json")
        try Files.write("x", to: protected + "/e\u{301}.json")
        #expect(try verify().problems.count == 2)
    }

    /// transformers asks the header for the framework that the weights were written by.
    @Test func anotherFrameworkInTheHeaderIsAFault() throws {
        let checkpoint = try Checkpoint(opening: original)
        let tensors = checkpoint.tensors.values.map(\.spec)
        let data = checkpoint.tensors.values.flatMap { Array(checkpoint.bytes(of: $0)) }
        func write(_ metadata: JSONValue?, to path: String) throws {
            try Files.write(
                SafetensorsHeader.bytes(for: tensors, metadata: metadata) + data, to: path + "/model.safetensors")
        }
        try write(.object(["format": .string("pt")]), to: folder("o"))
        for (metadata, isFault) in [
            (.object(["format": .string("pt")]), false), (.object(["format": .string("mlx")]), true), (nil, false),
            (.object([:]), true),
        ] as [(JSONValue?, Bool)] {
            try write(metadata, to: folder("p"))
            #expect(try verify().holds == !isFault)
        }
    }

    /// The same tensors in other files: only where a loader still finds them.
    @Test func layoutsMustBeFound() throws {
        rename(protected + "/model.safetensors", protected + "/weights.safetensors")
        #expect(try !verify().holds)
        Files.remove(protected)
        var options = ProtectionOptions(method: .lossless)
        options.maximumShardSize = 60_000
        _ = try Protector.unsynchronized.protect(
            Checkpoint(opening: original), to: protected, key: SecretKey(bytes: [UInt8](0..<32)), options: options)
        let report = try verify()
        #expect(report.holds && report.differences.contains { $0.contains("files") }, "\(report.problems)")
        unlink(protected + "/model.safetensors.index.json")
        #expect(try verify().problems.contains { $0.contains("index") })
    }

    /// An index may come with new shards; what it says beside the map must be what the original says.
    @Test func anIndexMayComeWithShards() throws {
        Files.remove(protected)
        var options = ProtectionOptions(method: .lossless)
        options.maximumShardSize = 60_000
        _ = try Protector.unsynchronized.protect(
            Checkpoint(opening: original), to: protected, key: SecretKey(bytes: [UInt8](0..<32)), options: options)
        let index = protected + "/model.safetensors.index.json"
        // The same shards without an index.
        Files.remove(original)
        try FileManager.default.copyItem(atPath: protected, toPath: original)
        Files.remove(original + "/model.safetensors.index.json")
        Files.remove(original + "/mergeproof.json")
        Files.remove(protected + "/mergeproof.json")
        let report = try verify()
        #expect(report.holds && report.differences == ["model.safetensors.index.json is not in \(original)"])
        let text = String(decoding: try Files.read(index), as: UTF8.self)
        try Files.write(text.replacing("\"total_size\"", with: "\"dtype\": \"float16\", \"total_size\""), to: index)
        #expect(try verify().problems.contains { $0.hasPrefix("model.safetensors.index.json: metadata.dtype") })
    }
}
