import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import TestSupport
import Testing
import Verification

/// Weights that are no numbers: nothing traps, and neither proof passes.
@Suite struct NotFiniteTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// A fixture with some value in the middle of its first tensor whose name contains `part`.
    private func changed(_ name: String, _ part: String, to value: Float, at path: String) throws -> Checkpoint {
        var model = try EditableModel(reading: Fixtures.path(name))
        let tensor = try #require(model.tensors.first { $0.name.contains(part) }).name
        try model.edit(tensor) { $0[$0.count / 2] = value }
        Files.remove(folder(path))
        return try Checkpoint(opening: try model.write(to: folder(path)))
    }

    private static let values: [Float] = [.nan, .infinity, -.infinity, .greatestFiniteMagnitude]

    @Test(
        arguments: [
            ("llama", "v_proj"), ("llama", "k_proj"), ("llama", "gate_proj"), ("llama", "down_proj"),
            ("qwen3", "k_proj"),
            ("qwen3", "k_norm"), ("mixtral", "gate"), ("deepseek_v3", "mlp.gate"), ("gpt_oss", "router"),
            ("gpt_oss", "sinks"), ("t5", "relative_attention_bias"), ("clip", "logit_scale"),
            ("bloom", "query_key_value"),
        ], values)
    func inOneModel(place: (name: String, part: String), value: Float) throws {
        let original = try Checkpoint(opening: Fixtures.path(place.name))
        let broken = try changed(place.name, place.part, to: value, at: "b")
        for (a, b) in [(original, broken), (broken, original)] {
            #expect(try !AlgebraicVerification(threads: 1).verify(a, b).holds)
            let inputs = try RecordedReference(place.name).inputs
            for precision in [FunctionalVerification.Precision.f32, .f64] {
                let report = try FunctionalVerification(threads: 1, precision: precision).verify(a, b, inputs: inputs)
                #expect(!report.holds)
                _ = try JSONValue(encoding: report).serialized()
            }
        }
    }

    /// Nothing can be compared, and that is said.
    @Test func inBothModels() throws {
        let broken = try changed("llama", "layers.1.self_attn.v_proj", to: .nan, at: "a")
        let report = try FunctionalVerification(threads: 1).verify(broken, broken)
        #expect(!report.holds)
        #expect(report.comparison.notFinite == "layers.1.attention" && report.comparison.firstFault == nil)
        #expect(try JSONValue(encoding: report)["not_finite"] == .string("layers.1.attention"))
        let outcome = try CommandRunner.run("verify", folder("a"), folder("a"))
        #expect(outcome.code == 2 && outcome.output.contains("FAILED layers.1.attention"))
    }

    /// What both have in a column of a site does not excuse the rest of it.
    @Test func aColumnThatIsNoNumberProvesNothing() throws {
        let a = try changed("llama", "layers.0.self_attn.v_proj", to: .nan, at: "a")
        var model = try EditableModel(reading: folder("a"))
        try model.edit("model.layers.0.self_attn.v_proj.weight") { values in
            for place in values.indices { values[place] *= 3 }
        }
        let b = try Checkpoint(opening: try model.write(to: folder("b")))
        let report = try AlgebraicVerification(threads: 1).verify(a, b)
        #expect(!report.holds)
    }

    @Test func generation() throws {
        let broken = try changed("llama", "embed_tokens", to: .nan, at: "a")
        let tokens = (0..<61).map { $0 }
        #expect(throws: ForwardError.self) {
            try Model(broken, threads: 1).generate(ModelInputs(tokens: [tokens]), count: 2)
        }
    }
}
