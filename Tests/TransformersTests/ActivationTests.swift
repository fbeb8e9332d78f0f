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
