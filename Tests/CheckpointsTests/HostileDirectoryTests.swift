import Checkpoints
import Glibc
import TestSupport
import Testing

/// Directories whose files are at odds, or not what they seem.
@Suite struct HostileDirectoryTests {
    private let directory: TemporaryDirectory
    private let first = "model-00001-of-00002.safetensors"
    private let second = "model-00002-of-00002.safetensors"
    private var index: String { directory("model.safetensors.index.json") }

    init() throws { directory = try TemporaryDirectory() }

    private func expect(_ error: CheckpointError, at location: SourceLocation = #_sourceLocation) {
        #expect(throws: error, sourceLocation: location) { try Checkpoint(opening: directory.path) }
        #expect(!error.description.contains("\n") && error.description.count > 30, sourceLocation: location)
    }

    private func makeShards() throws {
        try ModelBuilder.sharded(in: directory.path, tensors: [("a", 3), ("b", 4)], shards: [0, 1])
    }

    private func writeIndex(_ map: [(String, String)]) throws {
        let members = map.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
        try Files.write("{\"weight_map\":{\(members)}}", to: index)
    }

    @Test func pathsThatAreNoModels() throws {
        #expect(throws: CheckpointError.notFound(path: directory("none"))) {
            try Checkpoint(opening: directory("none"))
        }
        expect(.noWeights(directory: directory.path))
        try Files.write("x", to: directory("pytorch_model.bin"))
        expect(.pickleOnly(directory: directory.path, file: "pytorch_model.bin"))
        #expect(throws: CheckpointError.notAFileOrDirectory(path: directory("pytorch_model.bin"))) {
            try Checkpoint(opening: directory("pytorch_model.bin"))
        }
    }

    @Test func pipesDoNotHang() throws {
        mkfifo(directory("model.safetensors"), 0o644)
        expect(.notAFileOrDirectory(path: directory("model.safetensors")))
        unlink(directory("model.safetensors"))
        try ModelBuilder.single(in: directory.path)
        mkfifo(directory("pipe"), 0o644)
        #expect(try !Checkpoint(opening: directory.path).sidecars.contains { $0.relativePath == "pipe" })
        unlink(directory("config.json"))
        mkfifo(directory("config.json"), 0o644)
        expect(.notAFileOrDirectory(path: directory("config.json")))
    }

    @Test func brokenJSON() throws {
        try ModelBuilder.single(in: directory.path)
        try Files.write("{\"a\":", to: directory("config.json"))
        expect(.json(file: directory("config.json"), .unexpectedEnd))
        try Files.write("{}", to: directory("config.json"))
        for text in ["{}", "[]", "{\"weight_map\":{}}", "{\"weight_map\":[]}"] {
            try Files.write(text, to: index)
            expect(.index(file: index, .noWeightMap))
        }
        try Files.write("{\"weight_map\":{\"a\":1}}", to: index)
        expect(.index(file: index, .shardNotString(tensor: "a")))
    }

    @Test func incompleteSetsOfShards() throws {
        try makeShards()
        unlink(index)
        #expect(try Array(Checkpoint(opening: directory.path).tensors.keys) == ["a", "b"])
        unlink(directory(second))
        expect(.index(file: directory.path, .missingShard(second)))
        try ModelBuilder.single(in: directory.path)
        expect(.index(file: directory("model.safetensors"), .unreferencedShard(first)))
        unlink(directory("model.safetensors"))
        try makeShards()
        unlink(index)
        for stray in ["model-00001-of-00003.safetensors", "model-1-of-2.safetensors", "other.safetensors"] {
            try Files.write(try Files.read(directory(second)), to: directory(stray))
            #expect(throws: CheckpointError.self, "\(stray)") { try Checkpoint(opening: directory.path) }
            unlink(directory(stray))
        }
        try Files.write(try Files.read(directory(first)), to: directory(second))
        expect(.index(file: directory.path, .tensorInTwoShards(tensor: "a", first: first, second: second)))
    }

    /// One file of any name is a model where config.json lies beside it; of several nobody knows which.
    @Test func filesOfOtherNames() throws {
        try ModelBuilder.single(in: directory.path)
        rename(directory("model.safetensors"), directory("weights.safetensors"))
        let checkpoint = try Checkpoint(opening: directory.path)
        #expect(checkpoint.shards.map(\.fileName) == ["weights.safetensors"] && checkpoint.leftOut.isEmpty)
        try Files.link(directory("other.safetensors"), to: "weights.safetensors")
        expect(.index(file: directory.path, .severalFiles(["other.safetensors", "weights.safetensors"])))
        unlink(directory("other.safetensors"))
        unlink(directory("config.json"))
        expect(.noWeights(directory: directory.path))
        rename(directory("weights.safetensors"), directory("diffusion_pytorch_model.fp16.safetensors"))
        try Files.write("{}", to: directory("config.json"))
        expect(.index(file: directory.path, .diffusionModel("diffusion_pytorch_model.fp16.safetensors")))
    }

    /// transformers loads the file that config.json names, whatever else there is.
    @Test func weightsThatTheConfigNames() throws {
        try ModelBuilder.single(in: directory.path)
        let config = directory("config.json")
        try makeShards()
        try Files.write("{\"transformers_weights\": \"model.safetensors\"}", to: config)
        let single = try Checkpoint(opening: directory.path)
        #expect(single.shards.map(\.fileName) == ["model.safetensors"] && single.index == nil)
        #expect(single.leftOut == [first, second, "model.safetensors.index.json"])
        #expect(throws: CheckpointError.namedWeights(directory: directory.path)) {
            try single.checkFitForCopy(resharded: true)
        }
        for name in ["../m.safetensors", "m.bin", "/m.safetensors", ".m.safetensors"] {
            try Files.write("{\"transformers_weights\": \"\(name)\"}", to: config)
            expect(.index(file: config, .unsafeShardName(name)))
        }
        try Files.write("{\"transformers_weights\": \"m.safetensors\"}", to: config)
        expect(.index(file: config, .missingShard("m.safetensors")))
    }

    @Test func weightsBesideTheIndex() throws {
        try makeShards()
        var builder = SafetensorsBuilder()
        builder.add("a", "U8", [3], byteCount: 3)
        for name in ["model.safetensors", "model-00003-of-00003.safetensors"] {
            try Files.write(builder.build(), to: directory(name))
            expect(.index(file: index, .unreferencedShard(name)))
            unlink(directory(name))
        }
    }

    @Test(arguments: [
        "../x.safetensors", "/etc/x.safetensors", "sub/x.safetensors", "..", "", "x.bin", ".x.safetensors",
    ])
    func shardNamesThatLeadElsewhere(name: String) throws {
        try makeShards()
        try writeIndex([("a", first), ("b", name)])
        expect(.index(file: index, .unsafeShardName(name)))
    }

    @Test func indexAndShardsAtOdds() throws {
        try makeShards()
        try writeIndex([("a", first), ("b", "model-00009-of-00009.safetensors")])
        expect(.index(file: index, .missingShard("model-00009-of-00009.safetensors")))
        try writeIndex([("a", first), ("b", second), ("c", second)])
        expect(.index(file: index, .tensorNotInShard(tensor: "c", shard: second)))
        try writeIndex([("a", second), ("b", first)])
        expect(.index(file: index, .tensorNotInShard(tensor: "a", shard: second)))
        try writeIndex([("a", first), ("c", second)])
        expect(.index(file: index, .tensorNotInIndex(tensor: "b", shard: second)))
        var builder = SafetensorsBuilder()
        builder.add("a", "U8", [3], byteCount: 3)
        try Files.write(builder.build(), to: directory(second))
        expect(.index(file: directory.path, .tensorInTwoShards(tensor: "a", first: first, second: second)))
    }

    @Test func oneNameInTwoSpellings() throws {
        try ModelBuilder.sharded(in: directory.path, tensors: [("\u{e9}", 3), ("e\u{301}", 4)], shards: [0, 1])
        #expect(throws: CheckpointError.self) { try Checkpoint(opening: directory.path) }
        try Files.write("{\"weight_map\":{\"\u{e9}\":\"\(first)\",\"x\":\"\(second)\"}}", to: index)
        expect(.index(file: directory.path, .equivalentNames(tensor: "e\u{301}")))
    }

    @Test func filesThatWereCutOff() throws {
        try ModelBuilder.single(in: directory.path)
        let path = directory("model.safetensors")
        let bytes = try Files.read(path)
        let data = 400_004 + 100_002 + 120_006 + 13
        for (part, fault) in [
            (Array(bytes.dropLast()), HeaderFault.dataSize(expected: data, found: data - 1)),
            (Array(bytes.prefix(7)), .fileTooSmall(bytes: 7)), ([], .fileTooSmall(bytes: 0)),
            (Array(bytes.prefix(60)), .headerBeyondFile(length: bytes.count - data - 8, fileSize: 60)),
            (bytes + [0], .dataSize(expected: data, found: data + 1)),
        ] {
            try Files.write(part, to: path)
            expect(.header(file: path, fault))
        }
    }
}
