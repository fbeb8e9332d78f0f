import Checkpoints
import Foundation
import Foundations
import TestSupport
import Testing

/// Keys from anywhere, nonces, and what restore says of what it gives back.
@Suite struct RestoreCommandTests {
    private let folder: TemporaryDirectory
    private let model = Fixtures.path("llama_classifier")

    init() throws {
        folder = try TemporaryDirectory()
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
    }

    private func protect(_ method: String, to name: String = "p", _ more: String...) throws -> CommandRunner.Outcome {
        try CommandRunner.run(
            ["protect", model, "-o", folder(name), "--method", method, "--key", folder("key")] + more)
    }

    private func restore(_ more: String...) throws -> CommandRunner.Outcome {
        Files.remove(folder("r"))
        return try CommandRunner.run(["restore", folder("p"), "-o", folder("r"), "--key", folder("key")] + more)
    }

    @Test(arguments: [("lossless", "bit for bit", "all 12 tensors"), ("mergelock", "to rounding", "8 of 12 tensors")])
    func whatIsProvedIsSaid(method: String, exactness: String, count: String) throws {
        #expect(try protect(method).code == 0)
        let outcome = try restore()
        #expect(outcome.code == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.contains("restored \(folder("r")) \(exactness)"), "\(outcome.output)")
        #expect(outcome.output.contains("proved: \(count)"), "\(outcome.output)")
        #expect(outcome.output.contains("config.json"))
        let json = try JSONDocument(parsing: Array(try restore("--json").output.utf8))
        #expect(json["proved"]?.string == exactness && json["authenticated"]?.bool == true)
    }

    @Test func aChangedModelStopsOrIsClaimedOfNothing() throws {
        #expect(try protect("lossless").code == 0)
        let path = folder("p") + "/model.safetensors"
        var bytes = try Files.read(path)
        bytes[bytes.count - 4] ^= 1
        try Files.write(bytes, to: path)
        let stopped = try restore()
        #expect(stopped.code == 1 && stopped.output.isEmpty && !Files.exists(folder("r")))
        #expect(stopped.errors.contains("tensor ") && stopped.errors.contains("--accept-changes"), "\(stopped.errors)")
        let accepted = try restore("--accept-changes")
        #expect(accepted.code == 0 && accepted.errors.contains("was changed"))
        #expect(accepted.output.contains("nothing was proved") && !accepted.output.contains("bit for bit"))
        let json = try JSONDocument(parsing: Array(try restore("--accept-changes", "--json").output.utf8))
        #expect(json["proved"]?.string == "none" && json["changes"]?.array?.count == 1)
    }

    @Test func olderOutputsAreRestoredUnchecked() throws {
        let version = Fixtures.path("version-2")
        let outcome = try CommandRunner.run(
            "restore", version + "/lossless-stablelm", "-o", folder("r"), "--key", version + "/key")
        #expect(outcome.code == 0 && outcome.output.contains("nothing was proved"))
        #expect(!outcome.output.contains("bit for bit"))
        #expect(try Files.tree(folder("r")) == Files.tree(Fixtures.path("stablelm")))
    }

    @Test func aNonceRepeatsAnOutput() throws {
        let nonce = "000102030405060708090A0b0c0d0e0f"
        #expect(try protect("mergelock", to: "a", "--nonce", nonce).code == 0)
        #expect(try protect("mergelock", to: "b", "--nonce", nonce, "--threads", "3").code == 0)
        #expect(try protect("mergelock", to: "c").code == 0)
        #expect(try Files.tree(folder("a")) == Files.tree(folder("b")))
        #expect(try Files.tree(folder("a")) != Files.tree(folder("c")))
        for wrong in ["", "0", nonce + "00", "x" + nonce.dropFirst()] {
            #expect(try protect("mergelock", to: "d", "--nonce", wrong).code == 64, "\(wrong)")
        }
    }

    @Test func keysComeFromPipesAndStandardInput() throws {
        let words = "restore \(folder("p")) -o \(folder("r"))"
        #expect(try protect("lossless").code == 0)
        chmod(folder("key"), 0o644)
        for script in [
            "mergeproof \(words) --key - < \(folder("key"))", "cat \(folder("key")) | mergeproof \(words) --key -",
            "cat \(folder("key")) | mergeproof \(words) --key=-", "mergeproof \(words) --key <(cat \(folder("key")))",
            "cat \(folder("key")) | mergeproof \(words) --key /dev/stdin",
            "(sleep 0.2; sed 's/$/\\r/' \(folder("key"))) | mergeproof \(words) --key /dev/fd/0",
        ] {
            Files.remove(folder("r"))
            let outcome = try CommandRunner.shell(script)
            #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(script): \(outcome.errors)")
        }
        for script in ["mergeproof \(words)2 --key - < /dev/null", "mergeproof \(words)2 --key - <&-"] {
            let outcome = try CommandRunner.shell(script)
            #expect(outcome.code == 1 && outcome.errors.contains("standard input"), "\(script): \(outcome.errors)")
        }
    }

    @Test func anExposedKeyIsWarnedOf() throws {
        #expect(try protect("lossless").errors.isEmpty)
        chmod(folder("key"), 0o640)
        let outcome = try restore()
        #expect(outcome.code == 0 && outcome.errors.contains("chmod 600"))
    }

    /// A key that never comes does not hold the program against a signal.
    @Test func waitingForAKeyEndsWithASignal() throws {
        #expect(try protect("lossless").code == 0)
        try #require(mkfifo(folder("fifo"), 0o600) == 0)
        let process = try CommandRunner.start(["restore", folder("p"), "-o", folder("r"), "--key", folder("fifo")])
        CommandRunner.pause(.seconds(1))
        #expect(process.isRunning)
        let asked = ContinuousClock.now
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(ContinuousClock.now - asked < .seconds(1))
        #expect(!Files.exists(folder("r")))
    }
}
