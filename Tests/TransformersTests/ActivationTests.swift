import Checkpoints
import Evaluation
import LinearAlgebra
import TestSupport
import Testing
import Transformers

/// Activations on request, and results that do not depend on how the work is cut.
@Suite struct ActivationTests {
    @Test(arguments: ["bert", "llama", "t5", "clip", "vit"])
    func namesOfBlocks(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 1)
        let inputs = try RecordedReference(name).inputs
        let stacks = model.architecture.stacks
        var names: Set<String> = []
        for stack in stacks {
            let prefix = stacks.count > 1 ? stack.name + "." : ""
            names.formUnion([stack.name + ".embedding", stack.name + ".states"])
            names.formUnion(stack.layers.indices.map { "\(prefix)layers.\($0).mlp" })
        }
        let output = try model.double(inputs, activations: names)
        #expect(Set(output.activations.keys) == names)
        #expect(try model.double(inputs).activations.isEmpty)
    }

    /// A model without a head returns its last states.
    @Test func lastStatesAreTheOutput() throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("bert")), threads: 1)
        let inputs = try RecordedReference("bert").inputs
        let output = try model.double(inputs, activations: ["encoder.states"])
        #expect(output.activations["encoder.states"]?.elements == output.values.flatMap(\.elements))
    }

    /// What a map computes is its input times its weight; a bias is added, and the head's output are the logits.
    @Test func linearMaps() throws {
        let name = "model.layers.1.mlp.up_proj.weight"
        let path = Fixtures.path("llama_biases")
        let (model, inputs) = (try Model(Checkpoint(opening: path)), try RecordedReference("llama_biases").inputs)
        let output = try model.double(inputs, activations: [name, name + ".input", "lm_head.weight", "none.weight"])
        #expect(output.activations.count == 3)
        let stored = try EditableModel(reading: path)
        let (weight, bias) = (try stored.values(name), try stored.values("model.layers.1.mlp.up_proj.bias"))
        let x = try #require(output.activations[name + ".input"])
        let y = try #require(output.activations[name])
        #expect(x.rows == inputs.tokens.joined().count && y.columns == bias.count)
        for (row, column) in [(0, 0), (3, 7), (x.rows - 1, y.columns - 1)] {
            let sum = (0..<x.columns).reduce(Double(bias[column])) {
                $0 + x[row, $1] * Double(weight[column * x.columns + $1])
            }
            #expect((y[row, column] - sum).magnitude < 1e-13)
        }
        #expect(output.activations["lm_head.weight"]?.elements == output.values.flatMap(\.elements))
    }

    /// Every position is routed to as many experts as are chosen.
    @Test(arguments: [("mixtral", 4), ("gpt_oss", 4)])
    func experts(name: String, count: Int) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)))
        let inputs = try RecordedReference(name).inputs
        let tensors = (0..<count).map { expert in
            name == "mixtral"
                ? "model.layers.0.block_sparse_moe.experts.\(expert).w2.weight"
                : "model.layers.0.mlp.experts.down_proj.\(expert)"
        }
        let rows = try model.single(inputs, activations: Set(tensors)).activations.values.map(\.rows)
        #expect(rows.reduce(0, +) == 2 * inputs.tokens.joined().count)
    }

    @Test(arguments: Fixtures.recorded)
    func threadsChangeNothing(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        let inputs = try RecordedReference(name).inputs
        let one = try Model(checkpoint, threads: 1).single(inputs).values
        for threads in [2, 5] { #expect(try Model(checkpoint, threads: threads).single(inputs).values == one) }
    }

    /// Sequences of a batch do not see each other.
    @Test(arguments: Fixtures.recorded)
    func batchesChangeNothing(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 2)
        let inputs = try RecordedReference(name).inputs
        let batch = try model.double(inputs)
        guard batch.kind != .similarities else { return }
        #expect(batch.values.count > 1)
        for (number, expected) in batch.values.enumerated() {
            let alone = try #require(try model.double(inputs.example(number)).values.first)
            #expect(relativeError(alone.elements, expected.elements) < 1e-13)
        }
    }
}
