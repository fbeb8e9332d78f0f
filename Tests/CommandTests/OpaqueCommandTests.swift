import Checkpoints
import Foundations
import Protections
import TestSupport
import Testing

/// Models that are protected around parts which are not understood, as a user meets them.
@Suite struct OpaqueCommandTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func lock(_ name: String) throws -> String {
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
        let words = ["protect", Fixtures.path(name), "-o", folder("p"), "--method", "lossless", "--key", folder("key")]
        #expect(try CommandRunner.run(words).code == 0)
        return folder("p")
    }

    @Test func verifySaysWhatItDidNotEvaluate() throws {
        let locked = try lock("gemma3")
        let outcome = try CommandRunner.run("verify", Fixtures.path("gemma3"), locked)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("outputs were not evaluated, as this program does not understand the vision"))
        #expect(outcome.output.contains("its 34 tensors were compared to the bit"))
        #expect(outcome.output.hasSuffix("same function: yes, by the weights alone\n"))
        let json = try CommandRunner.run("verify", Fixtures.path("gemma3"), locked, "--json")
        let root = try JSONDocument(parsing: Array(json.output.utf8)).root
        #expect(root["same_function"]?.bool == true && root["outputs"]?.isNull == true)
        #expect(root["opaque_parts"]?.array?.first?["name"]?.string == "vision tower")
    }

    /// The demonstration proves by weights what it cannot evaluate, and says so.
    @Test(arguments: ["gemma3", "lfm2"])
    func theDemonstrationJudgesByWeights(name: String) throws {
        let outcome = try CommandRunner.run("demo", Fixtures.path(name), "--work", folder.path)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n")
        let proved = lines.filter { $0.contains("yes, by weights") }
        #expect(proved.count == ProtectionMethod.locks.count, "\(outcome.output)")
        #expect(lines.contains { $0.hasPrefix("outputs were not evaluated, as this program does not understand the ") })
        #expect(lines.contains("Relative changes of what the groups leave invariant."))
        #expect(Files.names(in: folder.path).isEmpty)
        try Files.write("[1, 2, 3]\n", to: folder("data.jsonl"))
        let given = try CommandRunner.run(
            "demo", Fixtures.path(name), "--work", folder.path, "--tokens", folder("data.jsonl"))
        #expect(given.code == 1 && given.output.isEmpty && given.errors.contains("does not know how to compute its"))
    }

    @Test func aChangedTowerFailsWithExitCodeTwo() throws {
        var model = try EditableModel(reading: lock("llava"))
        try model.edit("multi_modal_projector.linear_1.bias") { $0[3] = $0[3].nextUp }
        try model.write(to: folder("changed"))
        let outcome = try CommandRunner.run("verify", Fixtures.path("llava"), folder("changed"))
        #expect(outcome.code == 2)
        #expect(outcome.output.contains("FAILED tensor multi_modal_projector.linear_1.bias differs"))
        #expect(outcome.output.hasSuffix("same function: NO\n"))
    }

    @Test func whatNeedsOutputsIsRefusedInOneSentence() throws {
        let path = Fixtures.path("lfm2")
        try Files.write("[1, 2, 3]\n", to: folder("data.jsonl"))
        for words in [
            ["generate", path, "--prompt", "1,2"],
            ["evaluate", path, "--data", folder("data.jsonl"), "--metric", "loss"],
            ["verify", path, path, "--tokens", folder("data.jsonl")],
        ] {
            let outcome = try CommandRunner.run(words)
            #expect(outcome.code == 1 && outcome.output.isEmpty)
            #expect(outcome.errors.contains("does not know how to compute its convolution layers"), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1)
        }
    }

    @Test func inspectNamesOpaqueParts() throws {
        let outcome = try CommandRunner.run("inspect", Fixtures.path("qwen3_5"))
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("not understood: vision tower, 21 tensors copied as they are"))
        #expect(outcome.output.contains("not understood: delta-net layers, 9 tensors copied as they are"))
        #expect(outcome.output.contains("limited: a gate on each channel of the attention's output"))
    }
}
