import Checkpoints
import Foundations
import TestSupport
import Testing

/// attack as a user meets it.
@Suite struct AttackCommandTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func attack(_ base: String, _ protected: String, _ words: String...) throws -> CommandRunner.Outcome {
        try CommandRunner.run(
            ["attack", "--base", base, "--protected", protected, "--method", "coupled", "-o", folder("out")] + words)
    }

    @Test func aLockComesUndoneAndIsScored() throws {
        let (base, key) = (Fixtures.path("qwen2"), folder("key"))
        #expect(try CommandRunner.run("keygen", "-o", key).code == 0)
        let lock = ["protect", base, "-o", folder("p"), "--method", "full", "--key", key]
        #expect(try CommandRunner.run(lock).code == 0)
        let outcome = try attack(base, folder("p"), "--score-against", key, "--json")
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        let report = try JSONDocument(parsing: Array(outcome.output.utf8)).root
        #expect(report.object?.members.map(\.key) == ["output", "method", "sites", "seconds"])
        let kinds = try #require(report["sites"]?.array)
        #expect(kinds.compactMap { $0["kind"]?.string } == ["vo", "qk", "mlp", "heads", "residual"])
        for kind in kinds {
            #expect(try #require(kind["agreement"]?.double) > 0.9999)
            #expect(kind["score"]?["permutations_right"]?.double ?? 1 == 1)
        }
        // What lies at the output stays.
        #expect(try attack(base, folder("p")).code == 1)
    }

    /// Each in one sentence, before anything is written.
    @Test func badInputEndsInOneSentence() throws {
        let base = Fixtures.path("llama")
        for key in ["key", "other"] { #expect(try CommandRunner.run("keygen", "-o", folder(key)).code == 0) }
        let lock = ["protect", base, "-o", folder("p"), "--method", "mergelock", "--key", folder("key")]
        #expect(try CommandRunner.run(lock).code == 0)
        for (outcome, word) in [
            (try attack(Fixtures.path("gpt2"), folder("p")), "no tensor of one name"),
            (try attack(Fixtures.path("llama_tied"), folder("p")), "shape"),
            (try attack(base, folder("p"), "--score-against", folder("other")), "is not the one"),
            (try attack(base, base, "--score-against", folder("key")), "no mergeproof.json"),
            (try attack(folder("nowhere"), folder("p")), "no such file or directory"),
        ] {
            #expect(outcome.code == 1 && outcome.errors.contains(word), "\(outcome.errors)")
            #expect(outcome.errors.split(separator: "\n").count == 1 && !Files.exists(folder("out")))
        }
        // Another model of these shapes is told by its agreement.
        let stranger = try attack(Fixtures.path("llama_bf16"), folder("p"))
        #expect(stranger.code == 0 && stranger.errors.contains("it is another model's"))
    }

    /// Neither base nor element: two locked models give one that `merge` could not.
    @Test func circuitsAreMerged() throws {
        let model = Fixtures.path("qwen2")
        for (key, name) in [("key", "p"), ("other", "e")] {
            #expect(try CommandRunner.run("keygen", "-o", folder(key)).code == 0)
            let lock = ["protect", model, "-o", folder(name), "--method", "full", "--key", folder(key)]
            #expect(try CommandRunner.run(lock).code == 0)
        }
        let words = ["attack", "--method", "circuits", "--protected", folder("p"), "--with", folder("e")]
        let outcome = try CommandRunner.run(words + ["-o", folder("c"), "--json"])
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        let report = try JSONDocument(parsing: Array(outcome.output.utf8)).root
        let kinds = try #require(report["sites"]?.array)
        #expect(kinds.compactMap { $0["kind"]?.string } == ["vo", "qk"])
        for kind in kinds { #expect(try #require(kind["kept"]?.double) > 0.9999) }
        let based = try CommandRunner.run(words + ["-o", folder("b"), "--base", model, "--weight", "0.4"])
        #expect(based.code == 0 && based.output.contains("kept of circuits"), "\(based.errors)")
        #expect(Files.exists(folder("c") + "/config.json"))
    }

    /// Which method was taken is told, and options go with what they are for.
    @Test func optionsGoWithTheirMethods() throws {
        let base = Fixtures.path("gpt2")
        #expect(try CommandRunner.run("keygen", "-o", folder("key")).code == 0)
        let lock = ["protect", base, "-o", folder("p"), "--method", "mergelock", "--key", folder("key")]
        #expect(try CommandRunner.run(lock).code == 0)
        let words = ["attack", "--protected", folder("p"), "-o", folder("out"), "--method"]
        for (more, word) in [
            (["coupled"], "give --base"), (["circuits"], "--with"),
            (["coupled", "--base", base, "--with", base], "circuits alone"),
            (["coupled", "--base", base, "--calibration", "x"], "looks at no data"),
            (["coupled_activations", "--base", base], "give --calibration"),
            (["circuits", "--with", base, "--weight", "0.5"], "give --base"),
            (["circuits", "--with", base, "--score-against", folder("key")], "not for circuits"),
            (["nothing", "--base", base], "coupled_activations"),
        ] {
            let outcome = try CommandRunner.run(words + more)
            #expect(outcome.code == 64 && outcome.errors.contains(word), "\(outcome.errors)")
        }
        let best = try CommandRunner.run(words + ["best", "--base", base])
        #expect(best.code == 0 && best.output.contains("taken"), "\(best.errors)")
        let strangers = try CommandRunner.run(words + ["circuits", "--with", Fixtures.path("llama")])
        #expect(strangers.code == 1 && strangers.errors.contains("no tensor of one name"), "\(strangers.errors)")
    }
}
