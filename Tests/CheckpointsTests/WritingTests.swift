import Checkpoints
import Foundations
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite struct WritingTests {
    private let source: TemporaryDirectory
    private let target: TemporaryDirectory

    init() throws {
        source = try TemporaryDirectory()
        target = try TemporaryDirectory()
    }

    /// The file that results when the named tensors are inverted in place.
    private func inverted(_ checkpoint: Checkpoint, _ names: Set<String>) throws -> [UInt8] {
        var bytes = try Files.read(source("model.safetensors"))
        for name in names {
            for place in checkpoint.tensors[name]?.dataRange ?? 0..<0 { bytes[place] = ~bytes[place] }
        }
        return bytes
    }

    /// Headers of four lengths, so that data begins at any alignment; tiles smaller and larger than a unit of 4 MiB.
    @Test(arguments: [1, 2, 5], [0, 1, 2, 3])
    func bytesDoNotDependOnThreads(threads: Int, padding: Int) throws {
        try ModelBuilder.single(in: source.path, large: 11_000_004, padding: padding)
        let checkpoint = try Checkpoint(opening: source.path)
        let names: Set = ["empty", "large", "other", "small", "scalar"]
        let plan = OutputPlan.keepingShards(of: checkpoint).making { tensor in
            names.contains(tensor.name)
                ? InvertingProducer(tensor, of: checkpoint, tileBytes: tensor.name == "large" ? 5_000_000 : 1000) : nil
        }
        try CheckpointWriter(threads: threads).write(plan, to: target("out"))
        var expected = try Files.tree(source.path)
        expected["model.safetensors"] = try inverted(checkpoint, names)
        #expect(try Files.tree(target("out")) == expected)
        #expect(Files.names(in: target.path) == ["out"])
    }

    @Test func aCopyEqualsItsSourceAndKeepsPermissions() throws {
        try ModelBuilder.sharded(
            in: source.path, tensors: [("a", 300_001), ("b", 9_000_001), ("c", 0), ("d", 1)], shards: [0, 1, 1, 0],
            padding: 1)
        try ModelBuilder.writeSidecars(in: source.path)
        chmod(source("vocab.txt"), 0o640)
        let checkpoint = try Checkpoint(opening: source.path)
        try CheckpointWriter().write(.keepingShards(of: checkpoint), to: target("out"))
        #expect(try Files.tree(target("out")) == Files.tree(source.path))
        #expect(Files.permissions(target("out/vocab.txt")) == 0o640)
    }

    /// Collects the permissions that weight files have while they grow.
    private final class ModeWatcher: TransferObserver {
        let partial: String
        let seen = Mutex<UInt32>(0)

        init(partial: String) { self.partial = partial }

        func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) {}

        func moved(_ tensor: OutputTensor, _ range: Range<Int>, _ output: UnsafeRawBufferPointer) {
            for name in Files.names(in: partial) where name.hasSuffix(".safetensors") {
                seen.withLock { $0 |= Files.permissions(partial + "/" + name) }
            }
        }

        func finish() -> [OutputPlan.Generated] { [] }
    }

    /// What only the owner could read stays so, in every file that weights may lie in.
    @Test(arguments: [nil, 400_000, 40_000_000] as [Int?])
    func permissionsOfWeightsAreKept(maximumShardSize: Int?) throws {
        try ModelBuilder.sharded(
            in: source.path, tensors: [("a", 300_001), ("b", 500_001)], shards: [0, 1], padding: 1)
        try ModelBuilder.writeSidecars(in: source.path)
        let (first, second) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
        chmod(source(first), 0o640)
        chmod(source(second), 0o604)
        chmod(source("model.safetensors.index.json"), 0o400)
        chmod(source("1_Pooling"), 0o700)
        chmod(source.path, 0o750)
        let checkpoint = try Checkpoint(opening: source.path)
        let plan =
            maximumShardSize.map { OutputPlan.resharded(checkpoint, maximumShardSize: $0) }
            ?? .keepingShards(of: checkpoint)
        let made = plan.making { tensor in
            tensor.name == "a" ? InvertingProducer(tensor, of: checkpoint, tileBytes: 4096) : nil
        }
        let watcher = ModeWatcher(partial: target(".out.mergeproof-partial"))
        try CheckpointWriter(threads: 1).write(made, to: target("out"), observer: watcher)
        for file in plan.files {
            let expected: UInt32 = maximumShardSize != nil ? 0o600 : file.name == first ? 0o640 : 0o604
            #expect(Files.permissions(target("out/" + file.name)) == expected)
        }
        if plan.files.count > 1 { #expect(Files.permissions(target("out/model.safetensors.index.json")) == 0o600) }
        #expect(Files.permissions(target("out")) & 0o027 == 0 && Files.permissions(target("out/1_Pooling")) == 0o700)
        #expect(watcher.seen.withLock { $0 } == 0o600 || maximumShardSize == nil)
    }

    /// A file beside the weights must be the one that was judged when the model was opened.
    @Test func whatWasSwappedInIsNotCopied() throws {
        let outside = try TemporaryDirectory()
        try Files.write("secret\n", to: outside("s"))
        for swap in ["link", "hard link", "file", "folder"] {
            Files.remove(source("1_Pooling"))
            try ModelBuilder.single(in: source.path, large: 40_000)
            let checkpoint = try Checkpoint(opening: source.path)
            let path = swap == "folder" ? "1_Pooling/config.json" : "vocab.txt"
            if swap == "folder" {
                Files.remove(source("1_Pooling"))
                try Files.write("{}", to: outside("config.json"))
                try Files.link(source("1_Pooling"), to: outside.path)
            } else {
                unlink(source("vocab.txt"))
                if swap == "link" { try Files.link(source("vocab.txt"), to: outside("s")) }
                if swap == "hard link" { #expect(link(outside("s"), source("vocab.txt")) == 0) }
                if swap == "file" { try Files.write("Tokens\n", to: source("vocab.txt")) }
            }
            #expect(throws: CheckpointError.sourceChanged(file: source(path)), "\(swap)") {
                try CheckpointWriter().write(.keepingShards(of: checkpoint), to: target("out"))
            }
            #expect(Files.names(in: target.path).isEmpty)
            Files.remove(source("1_Pooling"))
            unlink(source("vocab.txt"))
        }
    }

    /// Adds up what an observer is shown.
    private final class Watcher: TransferObserver {
        let seen = Mutex<[String: Int]>([:])
        let source: Checkpoint
        let late: [OutputPlan.Generated]

        init(_ source: Checkpoint, late: [OutputPlan.Generated]) { (self.source, self.late) = (source, late) }

        func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) {
            #expect(bytes.count == file.size)
            seen.withLock { $0[file.relativePath, default: 0] += bytes.count }
        }

        func moved(_ tensor: OutputTensor, _ range: Range<Int>, _ output: UnsafeRawBufferPointer) {
            #expect(range.count * 8 % tensor.spec.type.bitWidth == 0)
            #expect(output.count == range.count)
            let input = source.tensors[tensor.name].map { source.bytes(of: $0)[range] }
            if tensor.isCopied, let a = input.flatMap({ UnsafeRawBufferPointer(rebasing: $0).baseAddress }),
                let b = output.baseAddress
            {
                #expect(memcmp(a, b, range.count) == 0)
            }
            #expect(tensor.isCopied || input.map { zip($0, output).allSatisfy { $0 == ~$1 } } == true)
            #expect(tensor.isCopied == (tensor.name != "other"))
            seen.withLock { $0[tensor.name, default: 0] += range.count }
        }

        func finish() -> [OutputPlan.Generated] { late }
    }

    @Test func anObserverSeesEveryByteOnceAndHasTheLastWord() throws {
        try ModelBuilder.single(in: source.path, large: 9_000_000)
        let checkpoint = try Checkpoint(opening: source.path)
        let watcher = Watcher(checkpoint, late: [.init(name: "made", bytes: [1, 2])])
        try CheckpointWriter(threads: 3).write(
            .keepingShards(
                of: checkpoint, adding: [.init(name: "made", bytes: [0, 0]), .init(name: "kept", bytes: [7])]
            ).making { $0.name == "other" ? InvertingProducer($0, of: checkpoint, tileBytes: 4096) : nil },
            to: target("out"), observer: watcher)
        #expect(
            watcher.seen.withLock { $0 } == [
                "large": 9_000_000, "middle": 100_002, "small": 5, "scalar": 8, "other": 120_006, "config.json": 23,
                "vocab.txt": 7, "1_Pooling/config.json": 2,
            ])
        #expect(try Files.read(target("out/made")) == [1, 2])
        #expect(try Files.read(target("out/kept")) == [7])
    }

    @Test func generatedFilesReplaceSidecars() throws {
        try ModelBuilder.single(in: source.path)
        let checkpoint = try Checkpoint(opening: source.path)
        let plan = OutputPlan.keepingShards(
            of: checkpoint, adding: [.init(name: "config.json", bytes: [1]), .init(name: "empty", bytes: [])],
            dropping: ["vocab.txt"])
        try CheckpointWriter().write(plan, to: target("out"))
        let tree = try Files.tree(target("out"))
        #expect(tree["config.json"] == [1] && tree["empty"] == [] && tree["vocab.txt"] == nil)
        #expect(plan.totalBytes == tree.values.reduce(0) { $0 + $1.count })
    }

    /// A caller's request stops a run, which leaves nothing; taken back, the next runs.
    @Test func aRequestStopsARun() async {
        // The request is the process's: in one of its own it stops no other test.
        await #expect(processExitsWith: .success) {
            let (source, target) = (try TemporaryDirectory(), try TemporaryDirectory())
            try ModelBuilder.single(in: source.path, large: 9_000_000)
            let checkpoint = try Checkpoint(opening: source.path)
            let plan = OutputPlan.keepingShards(of: checkpoint)
            Interruption.isRequested = true
            #expect(throws: (any Error).self) {
                try CheckpointWriter(threads: 2).write(plan, to: target("out"))
            }
            #expect(Files.names(in: target.path).isEmpty)
            Interruption.isRequested = false
            try CheckpointWriter(threads: 2).write(plan, to: target("out"))
            #expect(Files.names(in: target.path) == ["out"])
        }
    }

    @Test func tilesMustCoverTheTensor() throws {
        final class Odd: TensorProducer {
            let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)] = []
            let tiles: [Range<Int>]
            init(_ tiles: [Range<Int>]) { self.tiles = tiles }
            func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) {}
            func finish() {}
        }
        try ModelBuilder.single(in: source.path, large: 200_000)
        let checkpoint = try Checkpoint(opening: source.path)
        for tiles in [[], [0..<100_000], [0..<200_004], [4..<200_000], [0..<0, 0..<200_000]] {
            #expect(throws: CheckpointError.tilesDoNotCover(tensor: "large", bytes: 200_000)) {
                try CheckpointWriter().write(
                    .keepingShards(of: checkpoint).making { $0.name == "large" ? Odd(tiles) : nil }, to: target("out"))
            }
        }
        #expect(Files.names(in: target.path).isEmpty)
    }

    private func reshard(_ size: Int) throws -> (Checkpoint, Checkpoint) {
        try ModelBuilder.sharded(
            in: source.path,
            tensors: [("a", 60), ("b", 50), ("huge", 500), ("c", 30), ("d", 20), ("e", 100), ("f", 1)],
            shards: [0, 0, 0, 0, 1, 1, 1])
        let checkpoint = try Checkpoint(opening: source.path)
        let plan = OutputPlan.resharded(checkpoint, maximumShardSize: size).making {
            InvertingProducer($0, of: checkpoint, tileBytes: 33)
        }
        try CheckpointWriter().write(plan, to: target("out"))
        let written = try Checkpoint(opening: target("out"))
        #expect(Set(checkpoint.tensors.keys) == Set(written.tensors.keys))
        for (name, tensor) in written.tensors {
            let original = try #require(checkpoint.tensors[name])
            #expect(original.shape == tensor.shape && original.type == tensor.type)
            #expect(checkpoint.bytes(of: original).elementsEqual(written.bytes(of: tensor).lazy.map { ~$0 }))
        }
        return (checkpoint, written)
    }

    @Test func tensorsArePackedInOrder() throws {
        let (_, written) = try reshard(100)
        #expect(
            written.shards.map { $0.header.tensors.map(\.name) } == [["a"], ["b"], ["huge"], ["c", "d"], ["e"], ["f"]])
        #expect(written.shards[1].fileName == "model-00002-of-00006.safetensors")
        #expect(written.index?["metadata"]?["total_size"]?.int == 761)
        #expect(written.index?["metadata"]?["note"]?.string == "x")
        #expect(
            written.shards.allSatisfy {
                $0.header.metadata?["format"]?.string == "pt" && $0.header.bytes.count % 8 == 0
            })
    }

    @Test func oneShardHasNoIndex() throws {
        let (_, written) = try reshard(761)
        #expect(Files.names(in: target("out")) == ["model.safetensors"] && written.index == nil)
    }
}
