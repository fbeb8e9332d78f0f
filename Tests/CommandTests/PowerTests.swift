import Checkpoints
import TestSupport
import Testing

/// What verify had no power to tell, it says.
@Suite struct PowerTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private static let neither = "no power: neither the lock nor rounding what it moved changes these outputs at all"
    private static let rows = "no power: rounding alone may change the largest entry of each of the"

    /// What verify prints of a changed fixture and its lock.
    private func verify(
        _ name: String, locked words: [String] = [], _ change: (inout EditableModel) throws -> Void
    ) throws -> String {
        var model = try EditableModel(reading: Fixtures.path(name))
        try change(&model)
        try model.write(to: folder("m"))
        let key = folder("key")
        #expect(try CommandRunner.run("keygen", "-o", key).code == 0)
        let lock = try CommandRunner.run(
            ["protect", folder("m"), "-o", folder("p"), "--method", "mergelock", "--key", key, "--quiet"] + words)
        #expect(lock.code == 0, "\(lock.errors)")
        let outcome = try CommandRunner.run("verify", folder("m"), folder("p"))
        #expect(outcome.code == 0 && outcome.output.hasSuffix("same function: yes\n"), "\(outcome.output)")
        return outcome.output
    }

    /// An ordinary lock has nothing of the kind to say.
    @Test func ordinaryLocksHavePower() throws {
        let said = try verify("llama") { _ in }
        #expect(!said.contains("no power") && !said.contains("nothing"))
    }

    @Test func twoCopiesSayNothing() throws {
        let outcome = try CommandRunner.run("verify", Fixtures.path("llama"), Fixtures.path("llama"))
        #expect(outcome.code == 0)
        #expect(outcome.output.contains("nothing was moved: the weights of every site are the same to the bit"))
        #expect(outcome.output.contains(Self.neither))
    }

    @Test func outputsThatNothingReaches() throws {
        let said = try verify("llama") { model in try model.editFloats("lm_head.weight") { $0 = $0.map { _ in 0 } } }
        #expect(said.contains(Self.neither) && said.contains(Self.rows))
    }

    @Test func choicesWithinRounding() throws {
        let said = try verify("llama_bf16") { model in
            let columns = try model.matrixShape("lm_head.weight").columns
            try model.editFloats("lm_head.weight") { values in
                for place in values.indices { values[place] = values[place % columns] }
            }
        }
        #expect(!said.contains(Self.neither) && said.contains(Self.rows) && !said.contains("largest entry agrees"))
    }

    @Test func productsThatVanish() throws {
        let said = try verify("llama") { model in
            try model.editFloats("model.layers.0.self_attn.v_proj.weight") { $0 = $0.map { _ in 0 } }
        }
        #expect(said.contains("nothing to prove at 2 sites whose products are zero"))
    }

    @Test func sitesThatStayed() throws {
        let said = try verify("llama", locked: ["--layers", "0"]) { _ in }
        #expect(said.contains("not moved: 6 of 10 sites (layers.1.attention.vo.0, layers.1.attention.qk.0, "))
    }
}
