import Checkpoints
import Foundations
import Glibc
import TestSupport
import Testing

/// What the commands say of the files beside the weights.
@Suite struct FileCommandTests {
    private let folder: TemporaryDirectory
    private var model: String { folder("m") }

    init() throws {
        folder = try TemporaryDirectory()
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
        try EditableModel(reading: Fixtures.path("bert")).write(to: model)
    }

    private func protect(_ words: String..., key: String? = nil) throws -> CommandRunner.Outcome {
        try CommandRunner.run(
            ["protect", model, "-o", folder("p"), "--method", "lossless", "--key", key ?? folder("key")] + words)
    }

    @Test func aKeyInsideTheModelIsRefused() throws {
        #expect(try CommandRunner.run("keygen", "-o", model + "/.key").code == 0)
        let before = try Files.tree(model)
        let outcome = try protect(key: model + "/.key")
        #expect(outcome.code == 1 && outcome.errors.contains("inside the model"))
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1)
        #expect(Files.names(in: folder.path) == ["key", "m"])
        #expect(try Files.tree(model) == before)
    }

    @Test func noKeyIsEverCopied() throws {
        let key = try Files.read(folder("key"))
        for name in ["README.md", "notes.txt", "k"] { try Files.write(key, to: model + "/" + name) }
        let outcome = try protect("--include", "*")
        #expect(outcome.code == 0)
        for name in ["README.md", "notes.txt", "k"] {
            #expect(outcome.errors.contains("\(name) reads as a mergeproof secret key"))
        }
        #expect(Files.names(in: folder("p")) == ["config.json", "mergeproof.json", "model.safetensors"])
    }

    @Test func everythingLeftOutIsNamed() throws {
        try Files.write([0x80, 2, 0x2e], to: model + "/notes")
        try Files.write("x", to: model + "/big.npz")
        try Files.write("x", to: model + "/.env")
        try Files.link(model + "/link", to: "/tmp")
        let inspected = try CommandRunner.run("inspect", model)
        let outcome = try protect("--include", "*.npz", "--include", "none")
        #expect(outcome.code == 0)
        for words in [
            "notes can hold", "big.npz was copied because", "were left out of the output: .env", "link is a link",
        ] {
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }
        #expect(outcome.errors.contains("--include none names no file"))
        for name in ["notes", "big.npz", ".env", "link"] { #expect(inspected.output.contains("    \(name) ")) }
        #expect(try CommandRunner.run("verify", model, folder("p")).code == 0)
        let restored = try CommandRunner.run("restore", folder("p"), "-o", folder("r"), "--key", folder("key"))
        #expect(restored.code == 0 && restored.errors.contains("big.npz"))
    }

    @Test func anAdapterInTheWayIsRefused() throws {
        try Files.write("{}", to: model + "/adapter_config.json")
        let outcome = try protect()
        #expect(outcome.code == 1 && outcome.errors.contains("merge it into the model first"))
        #expect(!Files.exists(folder("p")))
        #expect(try CommandRunner.run("inspect", model).output.contains("in the way of protection"))
    }

    @Test func aPlantedFileFailsVerification() throws {
        #expect(try protect().code == 0)
        try Files.write("x", to: folder("p") + "/adapter_model.safetensors")
        let outcome = try CommandRunner.run("verify", model, folder("p"))
        #expect(outcome.code == 2 && outcome.output.contains("FAILED adapter_model.safetensors"))
        #expect(outcome.output.contains("same function: NO"))
        let json = try CommandRunner.run("verify", model, folder("p"), "--weights-only", "--json")
        let document = try JSONDocument(parsing: Array(json.output.utf8))
        #expect(document["same_function"]?.bool == false && document["differences"]?.array?.count == 1)
    }
}
