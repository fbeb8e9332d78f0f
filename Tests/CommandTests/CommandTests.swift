import Checkpoints
import Evaluation
import Foundation
import Foundations
import TestSupport
import Testing

/// The command line as a user meets it: words, exit codes, one sentence per error, nothing left behind.
@Suite struct CommandTests {
    private let folder: TemporaryDirectory
    private var bert: String { Fixtures.path("bert") }

    init() throws {
        folder = try TemporaryDirectory()
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
    }

    @Test func theMainJob() throws {
        for method in ["mergelock", "lossless"] {
            let protect = try CommandRunner.run(
                "protect", bert, "-o", folder(method), "--method", method, "--key", folder("key"))
            #expect(protect.code == 0 && protect.errors.isEmpty && protect.output.contains("protected"))
            #expect(try CommandRunner.run("verify", bert, folder(method)).code == 0)
            #expect(
                try CommandRunner.run("restore", folder(method), "-o", folder("r" + method), "--key", folder("key"))
                    .code == 0)
        }
        #expect(try Files.tree(folder("rlossless")) == Files.tree(bert))
    }

    @Test func jsonIsJSON() throws {
        let commands = [
            ["inspect", bert, "--json"], ["doctor", "--json"],
            ["protect", bert, "-o", folder("p"), "--method", "lossless", "--key", folder("key"), "--json"],
            ["verify", bert, folder("p"), "--json"],
            ["restore", folder("p"), "-o", folder("r"), "--key", folder("key"), "--json"],
        ]
        for words in commands {
            let outcome = try CommandRunner.run(words)
            let document = try JSONDocument(parsing: Array(outcome.output.utf8))
            #expect(outcome.code == 0 && document.root.object != nil, "\(words)")
        }
    }

    @Test func theKeyIsNeverShown() throws {
        let key = String(decoding: try Files.read(folder("key")), as: UTF8.self).split(separator: "\n")[1]
        let outcome = try CommandRunner.run(
            "protect", bert, "-o", folder("p"), "--method", "mergelock", "--key", folder("key"), "--json")
        let manifest = String(decoding: try Files.read(folder("p") + "/mergeproof.json"), as: UTF8.self)
        for text in [outcome.output, outcome.errors, manifest] {
            #expect(!text.contains(key) && !text.contains(key.prefix(16)))
        }
        #expect(Files.permissions(folder("key")) == 0o600)
    }

    @Test func exitCodeTwoSaysThatACheckFailed() throws {
        var model = try EditableModel(reading: bert)
        try model.edit("encoder.layer.0.attention.self.value.weight") { $0[0] *= -1 }
        try model.write(to: folder("m"))
        let outcome = try CommandRunner.run("verify", bert, folder("m"))
        #expect(outcome.code == 2 && outcome.output.contains("same function: NO"))
        #expect(outcome.output.contains("FAILED layers.0.attention.vo.0"))
    }

    @Test func exitCode64SaysWrongUsage() throws {
        for words in [
            ["protect", bert], ["protect", bert, "-o", "x", "--method", "magic", "--key", "k"], ["frobnicate"],
            ["protect", bert, "-o", "x", "--method", "mergelock", "--key", "k", "--sampler", "exact2"],
            ["protect", bert, "-o", "x", "--method", "mergelock", "--key", "k", "--max-shard-size", "much"],
            ["protect", bert, "-o", "x", "--method", "mergelock", "--key", "k", "--layers", "3-1"],
            ["protect", bert, "-o", "x", "--method", "mergelock", "--key", "k", "--threads", "0"],
            ["restore", bert, "-o", "x", "--key", "k", "--threads", "0"], ["verify", bert, bert, "--threads", "0"],
            ["evaluate", bert, "--data", "x", "--metric", "loss", "--threads", "-1"],
            ["generate", bert, "--prompt", "1", "--threads", "0"], ["bench", "forward", bert, "--threads", "0"],
        ] {
            #expect(try CommandRunner.run(words).code == 64, "\(words)")
        }
    }

    @Test func everyErrorIsOneSentenceAndLeavesNothing() throws {
        try Files.makeDirectory(folder("pickle"))
        try Files.write("x", to: folder("pickle") + "/pytorch_model.bin")
        try Files.makeDirectory(folder("empty"))
        try Files.makeDirectory(folder("out"))
        try Files.write("no key", to: folder("bad"))
        var broken = try EditableModel(reading: bert)
        try broken.write(to: folder("broken"))
        try Files.write(
            Array(try Files.read(folder("broken") + "/model.safetensors").dropLast(9)),
            to: folder("broken") + "/model.safetensors")
        broken.config["model_type"] = .string("unheard")
        try broken.write(to: folder("unheard"))
        let key = folder("key")
        func protect(_ model: String, _ output: String, _ key: String) -> [String] {
            ["protect", model, "-o", output, "--method", "mergelock", "--key", key]
        }
        let before = Set(Files.names(in: folder.path))
        for (words, expected) in [
            (protect(folder("none"), folder("p"), key), "no such file"),
            (protect(folder("pickle"), folder("p"), key), "pickle"),
            (protect(folder("empty"), folder("p"), key), "found neither"),
            (protect(folder("broken"), folder("p"), key), "truncated"),
            (protect(folder("unheard"), folder("p"), key), "not supported"),
            (protect(bert, folder("out"), key), "exists already"),
            (protect(bert, folder("no/p"), key), "does not exist"),
            (protect(folder("unheard"), folder("unheard/p"), key), "not supported"),
            (protect(bert, folder("p"), folder("bad")), "not a mergeproof key"),
            (protect(bert, folder("p"), folder("nokey")), "no such file"),
            (["restore", bert, "-o", folder("p"), "--key", key], "mergeproof.json"),
            (["verify", bert, folder("none")], "no such file"),
            (["keygen", "-o", key], "exists already"),
        ] {
            let outcome = try CommandRunner.run(words)
            #expect(outcome.code == 1, "\(words)")
            #expect(outcome.errors.contains(expected), "\(words): \(outcome.errors)")
            #expect(
                outcome.errors.hasPrefix("mergeproof: ") && outcome.errors.filter { $0 == "\n" }.count == 1,
                "\(outcome.errors)")
            #expect(Set(Files.names(in: folder.path)) == before, "\(words)")
        }
    }

    @Test func anOutputInsideTheInputIsRefused() throws {
        var model = try EditableModel(reading: bert)
        model.config["_name_or_path"] = .string("copy")
        try model.write(to: folder("m"))
        let before = try Files.tree(folder("m"))
        let outcome = try CommandRunner.run(
            "protect", folder("m"), "-o", folder("m/p"), "--method", "lossless", "--key", folder("key"))
        #expect(outcome.code == 1 && outcome.errors.contains("lies inside the input"))
        #expect(try Files.tree(folder("m")) == before)
    }

    @Test func foreignWeightsAreLeftOutAloud() throws {
        try EditableModel(reading: bert).write(to: folder("m"))
        try Files.write("the unprotected weights", to: folder("m") + "/pytorch_model.bin")
        let outcome = try CommandRunner.run(
            "protect", folder("m"), "-o", folder("p"), "--method", "lossless", "--key", folder("key"))
        #expect(outcome.code == 0 && outcome.errors.contains("pytorch_model.bin"))
        #expect(!Files.names(in: folder("p")).contains("pytorch_model.bin"))
    }

    @Test func anExposedKeyIsWarnedOf() throws {
        chmod(folder("key"), 0o644)
        let outcome = try CommandRunner.run(
            "protect", bert, "-o", folder("p"), "--method", "lossless", "--key", folder("key"))
        #expect(outcome.code == 0 && outcome.errors.contains("chmod 600"))
    }

    /// Killed at any moment a run leaves the output whole or absent, and the next run cleans up and succeeds.
    @Test(arguments: 0..<4)
    func killedRunsLeaveNothingHalfDone(first: Int) throws {
        let words = { [folder] (name: String) in
            [
                "protect", Fixtures.path("llama_sharded"), "-o", folder(name), "--method", "mergelock", "--key",
                folder("key"), "--nonce", String(repeating: "0", count: 32), "--quiet",
            ]
        }
        let started = ContinuousClock.now
        #expect(try CommandRunner.run(words("whole")).code == 0)
        let duration = ContinuousClock.now - started
        let whole = try Files.tree(folder("whole"))
        for round in stride(from: first, to: 200, by: 4) {
            let process = try CommandRunner.start(words("k"))
            // From at once to after the end, however fast the machine is.
            CommandRunner.pause(duration * Double(round) / 180)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            guard Files.exists(folder("k")) else { continue }
            #expect(try Files.tree(folder("k")) == whole)
            Files.remove(folder("k"))
        }
        #expect(try CommandRunner.run(words("k")).code == 0)
        #expect(try Files.tree(folder("k")) == whole)
        #expect(!Files.names(in: folder.path).contains { $0.hasSuffix(".mergeproof-partial") })
    }

    /// Asked to stop, a run cleans up after itself.
    @Test(arguments: [SIGINT, SIGTERM])
    func interruptedRunsLeaveNothing(signal: Int32) throws {
        var model = SyntheticModel()
        (model.hidden, model.intermediate, model.layers, model.vocabulary) = (1024, 2048, 4, 16000)
        _ = try model.write(to: folder("large"))
        let words = { [folder] (name: String) in
            ["protect", folder("large"), "-o", folder(name), "--method", "lossless", "--key", folder("key")]
        }
        let started = ContinuousClock.now
        #expect(try CommandRunner.run(words("whole")).code == 0)
        let duration = ContinuousClock.now - started
        let before = Set(Files.names(in: folder.path))
        var interrupted = 0
        for round in 0..<100 where interrupted < 3 {
            let process = try CommandRunner.start(words("i"))
            CommandRunner.pause(duration * Double(10 + round % 80) / 100)
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            // A signal that comes before the program listens kills it, one that comes late finds it done.
            if process.terminationReason == .exit, process.terminationStatus == 128 + signal {
                interrupted += 1
                #expect(Set(Files.names(in: folder.path)) == before)
            }
            Files.remove(folder("i"))
            Files.remove(folder(".i.mergeproof-partial"))
        }
        #expect(interrupted > 0)
    }
}
