import Checkpoints
import Glibc
import TestSupport
import Testing

/// What is refused before the first byte, how the output appears, and that it is absent or complete whatever call fails.
@Suite struct PublicationTests {
    private let source: TemporaryDirectory
    private let target: TemporaryDirectory

    init() throws {
        source = try TemporaryDirectory()
        target = try TemporaryDirectory()
        try ModelBuilder.single(in: source.path, large: 200_000)
    }

    private func write(
        _ path: String, from: String? = nil, system: any SystemCalls = PosixSystemCalls(), resharded: Bool = false,
        during: (@Sendable () throws -> Void)? = nil
    ) throws {
        let checkpoint = try Checkpoint(opening: from ?? source.path, system: system)
        let made = [OutputPlan.Generated(name: "mergeproof.json", bytes: [1, 2, 3])]
        let plan =
            resharded
            ? OutputPlan.resharded(checkpoint, maximumShardSize: 150_000, adding: made)
            : OutputPlan.keepingShards(of: checkpoint, adding: made)
        let inverted = plan.making { tensor in
            ["large", "small"].contains(tensor.name)
                ? InvertingProducer(tensor, of: checkpoint, tileBytes: 50_000) : nil
        }
        try CheckpointWriter(system: system, threads: 2).write(
            inverted, to: path, observer: during.map(MeddlingObserver.init))
    }

    @Test(arguments: [EIO, ENOSPC, EINVAL], [false, true])
    func theOutputIsAbsentOrCompleteWhicheverCallFails(code: Int32, resharded: Bool) throws {
        let before = try Files.tree(source.path)
        let counting = FaultInjectingSystemCalls()
        try write(target("reference"), system: counting, resharded: resharded)
        let complete = try Files.tree(target("reference"))
        var failures = 0
        // Threads may take turns differently each time, so a few calls more than were counted.
        for k in 1...counting.log.count + 5 {
            let system = FaultInjectingSystemCalls(failing: k, code: code)
            var failure: (any Error)?
            do { try write(target("out"), system: system, resharded: resharded) } catch { failure = error }
            let call = system.log.count >= k ? "\(system.log[k - 1])" : "none"
            let names = Set(Files.names(in: target.path))
            if names == ["reference"] {
                #expect(failure != nil, "call \(k): \(call)")
            } else {
                #expect(names == ["reference", "out"], "call \(k): \(call), \(names)")
                #expect(try Files.tree(target("out")) == complete, "call \(k): \(call)")
                Files.remove(target("out"))
            }
            guard let failure else { continue }
            failures += 1
            let error = try #require(failure as? CheckpointError)
            #expect(!error.description.contains("\n"))
            if code == ENOSPC, call.contains("write") || call.contains("fallocate") {
                guard case .diskFull = error else {
                    Issue.record("call \(k), \(call): \(error)")
                    continue
                }
            }
        }
        #expect(failures > counting.log.count / 2)
        #expect(try Files.tree(source.path) == before)
    }

    @Test func everythingIsOnDiskBeforeItAppears() throws {
        let system = FaultInjectingSystemCalls()
        try write(target("out"), system: system)
        let log = system.log
        let renamed = try #require(log.firstIndex { $0.call == "rename" })
        let partial = target(".out.mergeproof-partial")
        for name in [
            "/model.safetensors", "/config.json", "/1_Pooling/config.json", "/1_Pooling", "/mergeproof.json", "",
        ] {
            let synced = try #require(log.lastIndex { $0.call == "fsync" && $0.path == partial + name }, "\(name)")
            let written = log.lastIndex { $0.call == "write" && $0.path == partial + name } ?? 0
            #expect(written < synced && synced < renamed, "\(name)")
        }
        #expect(try #require(log.lastIndex { $0.call == "fsync" }) > renamed)
        #expect(log.filter { $0.call == "write" }.allSatisfy { $0.path.hasPrefix(partial + "/") })
    }

    private func refuses(
        _ error: CheckpointError, _ path: String, at location: SourceLocation = #_sourceLocation
    ) throws {
        let before = (try Files.tree(source.path), try Files.tree(target.path))
        #expect(throws: error, sourceLocation: location) { try write(path) }
        #expect(try Files.tree(source.path) == before.0, sourceLocation: location)
        #expect(try Files.tree(target.path) == before.1, sourceLocation: location)
    }

    @Test func outputsThatExistAreNeverReplaced() throws {
        try Files.makeDirectory(target("out"))
        try refuses(.outputExists(path: target("out")), target("out"))
        try refuses(.outputExists(path: target("out")), target("out/"))
        try Files.write("x", to: target("file"))
        try refuses(.outputExists(path: target("file")), target("file"))
        try Files.link(target("broken"), to: "nowhere")
        try refuses(.outputExists(path: target("broken")), target("broken"))
        try refuses(.outputParentMissing(path: target("none/")), target("none/out"))
        for name in ["..", ".", "/", ""] {
            #expect(throws: CheckpointError.self) { try write(target.path + "/" + name) }
        }
    }

    @Test func whatAppearsMeanwhileIsNotReplaced() throws {
        #expect(throws: CheckpointError.outputExists(path: target("out"))) {
            try write(target("out")) { try Files.write("mine", to: target("out")) }
        }
        #expect(try Files.read(target("out")) == Array("mine".utf8))
        #expect(Files.names(in: target.path) == ["out"])
    }

    @Test func outputsInsideTheSourceAreRefused() throws {
        try refuses(.outputOverlapsInput(output: source("out"), input: source.path), source("out"))
        try refuses(.outputOverlapsInput(output: source("1_Pooling/out"), input: source.path), source("1_Pooling/out"))
        try Files.link(target("link"), to: source.path)
        try refuses(.outputOverlapsInput(output: target("link/out"), input: source.path), target("link/out"))
        #expect(throws: CheckpointError.outputOverlapsInput(output: source("out"), input: target("link"))) {
            try write(source("out"), from: target("link"))
        }
        try write(target("out"), from: target("link"))
    }

    @Test func theDiskMustHaveRoom() throws {
        let plan = OutputPlan.keepingShards(of: try Checkpoint(opening: source.path))
        let needed = plan.totalBytes + 3
        #expect(throws: CheckpointError.notEnoughSpace(path: target("out"), needed: needed, available: needed - 1)) {
            try write(target("out"), system: FaultInjectingSystemCalls(space: needed - 1))
        }
        #expect(Files.names(in: target.path).isEmpty)
        try write(target("out"), system: FaultInjectingSystemCalls(space: needed))
    }

    @Test func remainsOfAKilledRunAreCleared() throws {
        let partial = target(".out.mergeproof-partial")
        try Files.write("keep", to: target("precious"))
        try Files.makeDirectory(partial)
        try Files.makeDirectory(partial + "/1_Pooling")
        try Files.write("old", to: partial + "/1_Pooling/old")
        try Files.write("old", to: partial + "/model.safetensors")
        try Files.link(partial + "/link", to: target.path)
        try write(target("out"))
        #expect(try Files.read(target("precious")) == Array("keep".utf8))
        #expect(Files.names(in: target.path) == ["out", "precious"])
        #expect(Files.names(in: target("out")).count == 5)
    }

    @Test func anotherRunIsRespected() throws {
        let partial = target(".out.mergeproof-partial")
        try Files.makeDirectory(partial)
        try Files.write("at work", to: partial + "/model.safetensors")
        let other = open(partial, O_RDONLY)
        defer { close(other) }
        #expect(flock(other, LOCK_EX) == 0)
        try refuses(.outputBusy(path: target("out")), target("out"))
    }

    @Test func aPartialPathThatLeadsElsewhereIsNotFollowed() throws {
        try Files.makeDirectory(target("victim"))
        try Files.write("precious", to: target("victim/file"))
        try Files.link(target(".out.mergeproof-partial"), to: target("victim"))
        let before = try Files.tree(target.path)
        #expect(throws: CheckpointError.self) { try write(target("out")) }
        #expect(try Files.tree(target.path) == before)
    }

    @Test func aSourceThatChangesIsNoticed() throws {
        let path = source("model.safetensors")
        #expect(throws: CheckpointError.sourceChanged(file: path)) {
            try write(target("out")) {
                var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
                utimensat(AT_FDCWD, path, &times, 0)
            }
        }
        #expect(Files.names(in: target.path).isEmpty)
    }
}
