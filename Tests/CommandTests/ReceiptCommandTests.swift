import Checkpoints
import Foundations
import TestSupport
import Testing

/// `receipt make`, `receipt check` and `protect --receipt`: words, exit codes, what is left behind.
@Suite struct ReceiptCommandTests {
    private let folder: TemporaryDirectory
    private let model = Fixtures.path("llama_classifier")

    init() throws {
        folder = try TemporaryDirectory()
        for name in ["key", "other"] { #expect(try CommandRunner.run("keygen", "-o", folder(name)).code == 0) }
    }

    private func protect(_ more: String...) throws -> CommandRunner.Outcome {
        try CommandRunner.run(["protect", model, "-o", folder("p"), "--method", "full", "--key", folder("key")] + more)
    }

    private func check(_ more: String...) throws -> CommandRunner.Outcome {
        try CommandRunner.run(["receipt", "check", folder("r"), "--protected", folder("p")] + more)
    }

    @Test func protectMakesOne() throws {
        let outcome = try protect("--receipt", folder("r"))
        #expect(
            outcome.code == 0 && outcome.errors.isEmpty && outcome.output.contains("same function: yes"), "\(outcome)")
        #expect(Files.permissions(folder("r")) == 0o600)
        let receipt = String(decoding: try Files.read(folder("r")), as: UTF8.self)
        let key = String(decoding: try Files.read(folder("key")), as: UTF8.self).split(separator: "\n")[1]
        #expect(!receipt.contains(key) && !receipt.contains(key.prefix(16)))
        let whole = try check("--original", model, "--key", folder("key"))
        #expect(whole.code == 0 && whole.output.hasSuffix("what was checked holds: yes\n"), "\(whole)")
        #expect(whole.output.components(of: "checked: ") == 6 && whole.output.components(of: "not checked: ") == 2)
        #expect(try check().output.contains("not checked: who made the receipt"))
        let json = try JSONDocument(parsing: Array(try check("--json").output.utf8))
        #expect(json["holds"]?.bool == true && json["failed"]?.array?.isEmpty == true)
    }

    @Test func whatFailsIsExitCodeTwo() throws {
        #expect(try protect("--receipt", folder("r"), "--json").code == 0)
        let other = try check("--key", folder("other"))
        #expect(other.code == 2 && other.output.contains("FAILED this key"))
        try Files.write("x", to: folder("p") + "/new.txt")
        let added = try check("--key", folder("key"))
        #expect(added.code == 2 && added.output.contains("FAILED new.txt is in"))
        Files.remove(folder("p") + "/new.txt")
        // The header of the weights, without which nothing can be opened.
        let path = folder("p") + "/model.safetensors"
        var bytes = try Files.read(path)
        bytes[9] ^= 1
        try Files.write(bytes, to: path)
        let broken = try check()
        #expect(broken.code == 2 && broken.output.contains("FAILED model.safetensors in"), "\(broken)")
        Files.remove(folder("p") + "/mergeproof.json")
        #expect(try check().output.contains("FAILED mergeproof.json is in the receipt and not in"))
    }

    @Test func badInputIsExitCodeOne() throws {
        #expect(try protect().code == 0)
        try Files.write("{}", to: folder("r"))
        #expect(try check().errors.contains("_type is missing"))
        for words in [
            ["receipt", "check", folder("none"), "--protected", folder("p")],
            ["receipt", "check", folder("r"), "--protected", folder("p")],
            ["receipt", "check", folder("r"), "--protected", folder("r")],
            ["receipt", "make", model, folder("p"), "--key", folder("other"), "-o", folder("n")],
            ["receipt", "make", model, model, "--key", folder("key"), "-o", folder("n")],
            ["receipt", "make", model, folder("p"), "--key", folder("key"), "-o", folder("r")],
            ["receipt", "make", model, folder("p"), "--key", folder("key"), "-o", folder("p/n")],
            ["receipt", "make", model, folder("p"), "--key", folder("key"), "-o", folder("none/n")],
            [
                "protect", model, "-o", folder("q"), "--method", "full", "--key", folder("key"), "--receipt",
                folder("r"),
            ],
            [
                "protect", model, "-o", folder("q"), "--method", "full", "--key", folder("key"), "--receipt",
                folder("q/r"),
            ],
        ] {
            let outcome = try CommandRunner.run(words)
            #expect(outcome.code == 1 && outcome.output.isEmpty, "\(words)")
            #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
            #expect(!Files.exists(folder("n")) && !Files.exists(folder("q")))
        }
        #expect(try Files.read(folder("r")) == Array("{}".utf8))
    }

    @Test func outputsAreOnRecordWhereTheyWereEvaluated() throws {
        #expect(try protect().code == 0)
        for (words, isEvaluated) in [([], true), (["--weights-only"], false)] {
            Files.remove(folder("r"))
            let outcome = try CommandRunner.run(
                ["receipt", "make", model, folder("p"), "--key", folder("key"), "-o", folder("r"), "--json"] + words)
            let written = try Files.read(folder("r"))
            #expect(outcome.code == 0 && Array(outcome.output.utf8) == written)
            let outputs = try JSONDocument(parsing: Files.read(folder("r")))["predicate"]?["verification"]?["outputs"]
            #expect((outputs?["drift"]?.double != nil) == isEvaluated)
            #expect(try check("--key", folder("key")).code == 0)
        }
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        split(separator: "\n").filter { $0.contains(part) }.count
    }
}
