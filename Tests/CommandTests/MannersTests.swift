import Checkpoints
import Foundation
import Foundations
import TestSupport
import Testing

/// What is no model's fault: closed and full descriptors, numbers without sense, names made to deceive.
@Suite struct MannersTests {
    private let folder: TemporaryDirectory
    private var bert: String { Fixtures.path("bert") }

    init() throws {
        folder = try TemporaryDirectory()
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
    }

    @Test func aFullDeviceIsAnError() throws {
        for words in [
            "doctor", "doctor --json", "inspect \(bert)", "--help", "--version", "families", "verify \(bert) \(bert)",
        ] {
            let outcome = try CommandRunner.shell("$MP \(words) >/dev/full")
            #expect(outcome.code == 1 && outcome.errors.filter { $0 == "\n" }.count == 1, "\(words): \(outcome.errors)")
            #expect(outcome.errors.contains("No space left"), "\(words): \(outcome.errors)")
        }
        let closed = try CommandRunner.shell("$MP doctor >&-")
        #expect(closed.code == 1 && closed.errors.contains("standard output"))
    }

    @Test func aReaderThatWentAwayIsNoError() throws {
        let outcome = try CommandRunner.shell("{ sleep 0.3; $MP families --help; echo $? >&2; } | true")
        #expect(outcome.errors == "0\n")
    }

    /// With standard error closed, a file of the output would take its number and receive warnings.
    @Test func closedDescriptorsAreNotWrittenInto() throws {
        try EditableModel(reading: bert).write(to: folder("m"))
        try Files.write("unprotected weights", to: folder("m") + "/pytorch_model.bin")
        let words = "protect \(folder("m")) --method lossless --key \(folder("key")) -o"
        let outcome = try CommandRunner.shell("$MP \(words) \(folder("p")) <&- >&- 2>&-")
        #expect(outcome.code == 1)
        #expect(try CommandRunner.run("restore", folder("p"), "-o", folder("r"), "--key", folder("key")).code == 0)
        #expect(try Files.read(folder("r") + "/model.safetensors") == Files.read(folder("m") + "/model.safetensors"))
    }

    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "-1", "0", "9223372036854775808", "1e3", ""])
    func numbersWithoutSenseAreWrongUsage(number: String) throws {
        for words in [
            ["protect", bert, "-o", folder("x"), "--method", "lossless", "--key", folder("key"), "--threads"],
            ["restore", bert, "-o", folder("x"), "--key", folder("key"), "--threads"],
            ["verify", bert, bert, "--threads"],
            ["evaluate", bert, "--data", "x", "--metric", "loss", "--threads"],
            ["generate", bert, "--prompt", "1", "--count"], ["bench", "forward", bert, "--tokens"],
            ["bench", "forward", bert, "--rounds"], ["bench", "memory", "--tokens"],
            ["bench", "memory", "--gigabytes"],
            ["bench", "protect", bert, "--rounds"], ["bench", "protect", "--vocabulary"],
            ["protect", bert, "-o", folder("x"), "--method", "lossless", "--key", folder("key"), "--max-shard-size"],
        ] {
            if words.last == "--max-shard-size", number == "9223372036854775807" { continue }
            let outcome = try CommandRunner.run(words + [number])
            #expect(outcome.code == 64 && !outcome.errors.contains("Fatal"), "\(words) \(number): \(outcome.errors)")
        }
        #expect(Files.names(in: folder.path) == ["key"])
    }

    private static let evil = "x\n\u{1b}[2Jmergeproof: all is well\r\u{202e}\u{200b}\u{9b}31m"

    /// Every place where a file's text could reach the terminal.
    @Test func namesCannotForgeOutput() throws {
        var strange = try EditableModel(reading: bert)
        strange.tensors.append(.init(name: Self.evil, type: .f32, shape: [1], bytes: [0, 0, 0, 0]))
        try strange.write(to: folder("tensor"))
        var config = try EditableModel(reading: bert)
        config.config["hidden_act"] = .string(Self.evil)
        try config.write(to: folder("value"))
        config = try EditableModel(reading: bert)
        config.config["model_type"] = .string(Self.evil)
        try config.write(to: folder("type"))
        config = try EditableModel(reading: bert)
        config.config[Self.evil] = .string(Self.evil)
        try config.write(to: folder("key2"))
        try EditableModel(reading: bert).write(to: folder("file"))
        try Files.write("weights", to: folder("file") + "/\(Self.evil).bin")
        try EditableModel(reading: bert).write(to: folder("index"))
        try Files.write(
            JSONValue.object(["weight_map": .object([Self.evil: .string(Self.evil)])]).serialized(),
            to: folder("index") + "/model.safetensors.index.json")
        let key = folder("key")
        for words in [
            ["inspect", folder("tensor")], ["inspect", folder("value")], ["inspect", folder("type")],
            ["inspect", folder("file")], ["inspect", folder("index")], ["inspect", folder(Self.evil)],
            ["inspect", folder("file"), "--json"], ["verify", bert, folder("tensor")],
            ["verify", bert, folder("key2")],
            ["verify", bert, folder("key2"), "--json"], ["verify", bert, folder("key2"), "--weights-only"],
            ["protect", folder("file"), "-o", folder("p"), "--method", "lossless", "--key", key],
            ["protect", bert, "-o", folder(Self.evil), "--method", "lossless", "--key", key],
            ["restore", folder(Self.evil), "-o", folder("r" + Self.evil), "--key", key],
            ["keygen", "-o", folder("k" + Self.evil)],
            ["protect", bert, "-o", "x", "--method", Self.evil, "--key", key],
            [Self.evil], ["evaluate", bert, "--data", folder(Self.evil), "--metric", "loss"],
            ["families", folder(Self.evil)], ["demo", folder("value"), "--work", folder.path],
        ] {
            let outcome = try CommandRunner.run(words)
            for text in [outcome.output, outcome.errors] {
                #expect(!text.unicodeScalars.contains { "\u{1b}\r\u{202e}\u{200b}\u{9b}".unicodeScalars.contains($0) })
                #expect(!text.contains("\nmergeproof: all") && !text.contains("\nx\n"), "\(words): \(text)")
            }
            let isUsage = outcome.code == 64
            #expect(isUsage || outcome.errors.filter { $0 == "\n" }.count <= 1, "\(words): \(outcome.errors)")
        }
    }

    @Test func namesThatAreNoTextAreRefused() throws {
        let outcome = try CommandRunner.shell("$MP inspect \"$(printf '\(folder.path)/\\377')\"")
        #expect(outcome.code == 64 && outcome.errors.contains("argument 2 is not UTF-8"))
        let file = try CommandRunner.shell(
            "cp -r \(bert) \(folder("m")) && touch \"$(printf '\(folder("m"))/\\377')\" && $MP inspect \(folder("m"))")
        #expect(file.code == 1 && file.errors.contains("is not UTF-8; rename the file"), "\(file.errors)")
    }

    @Test func littleAddressSpaceIsSaid() throws {
        let words = "protect \(bert) -o \(folder("p")) --method mergelock --key \(folder("key"))"
        for limit in [300_000, 400_000] {
            let outcome = try CommandRunner.shell("ulimit -v \(limit); $MP \(words)")
            #expect(
                outcome.code == 1 && outcome.errors.contains("ulimit -v"), "\(limit): \(outcome.code) \(outcome.errors)"
            )
        }
        #expect(Files.names(in: folder.path) == ["key"])
        #expect(try CommandRunner.shell("ulimit -v 4000000; $MP \(words)").code == 0)
    }

    @Test func modelsOfTheCacheHaveShortNames() throws {
        let commit = String(repeating: "a", count: 40)
        let repository = folder("hub") + "/models--org--bert"
        for path in [folder("hub"), repository, repository + "/refs", repository + "/snapshots"] {
            try Files.makeDirectory(path)
        }
        try Files.write(commit, to: repository + "/refs/main")
        try Files.link(repository + "/snapshots/" + commit, to: bert)
        func run(_ words: String) throws -> CommandRunner.Outcome {
            try CommandRunner.shell("cd \(folder.path); HF_HUB_CACHE=\(folder("hub")) $MP \(words)")
        }
        #expect(try run("inspect org/bert").code == 0)
        #expect(try run("protect org/bert -o p --method lossless --key key").code == 0)
        #expect(try run("verify org/bert p").code == 0)
        let missing = try run("inspect org/none")
        #expect(missing.code == 1 && missing.errors.contains("`hf download org/none`"), "\(missing.errors)")
    }

    /// Advice names options that there are.
    @Test func adviceCanBeFollowed() throws {
        func errors(_ model: String, _ words: String...) throws -> String {
            let outcome = try CommandRunner.run(
                ["protect", Fixtures.path(model), "-o", folder("p"), "--key", folder("key"), "--method"] + words)
            #expect(outcome.code == 1)
            return outcome.errors
        }
        let layers = try errors("t5", "lossless", "--layers", "2")
        #expect(layers.contains("encoder 0 to 1 and decoder 0 to 1"), "\(layers)")
        #expect(try errors("bert", "lossless", "--layers", "2").contains("the model has layers 0 to 1,"))
        let sampler = try errors("bert", "mergelock", "--sampler", "exact")
        #expect(sampler.contains("draws dq, conditioned, orthogonal, gaussian"), "\(sampler)")
        let single = try errors("bert", "lossless", "--sampler", "orthogonal")
        #expect(single.contains("in one way alone; choose none (see --sampler)"), "\(single)")
        let none = try errors("bert", "lossless", "--sites", "qk", "--layers", "0", "--condition", "0.5")
        #expect(none.contains("condition number 0.5") && none.contains("see --condition"), "\(none)")
    }

    /// What a library advises is said with the options that do it.
    @Test(arguments: [
        ("protect llama lossless --layers 7", "--layers"),
        ("protect llama lossless --sites experts", "--layers, --sites"),
        ("protect llama decoy", "--base"), ("protect llama lossless --base llama", "--base"),
        ("protect gpt2 mergebarrier --ffn fit", "--calibration"),
        ("protect bert full --residual rotation", "--residual"),
        ("attack llama coupled --base gpt2", "--base, --with"),
        ("attack llama circuits --base llama --with llama --weight inf", "--weight"),
    ])
    func adviceNamesItsOptions(line: String, options: String) throws {
        var words = line.split(separator: " ").map(String.init)
        for place in words.indices.dropFirst() where Fixtures.names.contains(words[place]) {
            words[place] = Fixtures.path(words[place])
        }
        let isAttack = words[0] == "attack"
        words.insert("--method", at: 2)
        if isAttack { words.insert("--protected", at: 1) }
        words += ["-o", folder("p")] + (isAttack ? [] : ["--key", folder("key")])
        let outcome = try CommandRunner.run(words)
        #expect(outcome.code == 1 && outcome.errors.hasSuffix("(see \(options))\n"), "\(outcome.errors)")
        #expect(!Files.exists(folder("p")))
    }
}
