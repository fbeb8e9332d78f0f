import Checkpoints
import Evaluation
import ForwardPass
import LinearAlgebra
import TestSupport
import Testing

/// Activations on request, and results that do not depend on how the work is cut.
@Suite struct ActivationTests {
    /// Every point is spelled in one way, which is read back, and is computed; but for experts that nothing is routed to.
    @Test(arguments: Fixtures.recorded)
    func everyPointIsComputed(name: String) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 1)
        let inputs = try RecordedReference(name).inputs
        let stream = model.architecture.streamPoints
        let maps = model.architecture.storedMaps
        let points = stream + maps.map { .input(of: $0) } + maps.map { .output(of: $0) }
        #expect(Set(points.map(model.architecture.spelling)).count == points.count)
        for point in stream { #expect(try model.activationPoint(model.architecture.spelling(of: point)) == point) }
        let activations = try model.double(inputs, activations: Set(points)).activations
        #expect(stream.allSatisfy { activations[$0] != nil })
        #expect(try model.double(inputs).activations.isEmpty)
        // No stored map is left out.
        let tensors = Set(maps.map(\.tensor))
        for (tensor, role) in model.architecture.roles where Self.mapRoles.contains(role.name) {
            #expect(tensors.contains(tensor) || tensor.contains("bias"), "\(tensor)")
        }
        let missing = maps.filter { activations[.output(of: $0)] == nil }
        #expect(missing.allSatisfy { $0.tensor.contains("expert") || $0.tensor.contains("block_sparse_moe") })
        for map in maps {
            let (x, y) = (activations[.input(of: map)], activations[.output(of: map)])
            #expect(x?.rows == y?.rows)
            guard let x, let y else { continue }
            #expect(x.elements.allSatisfy(\.isFinite) && y.elements.allSatisfy(\.isFinite))
        }
    }

    private static let mapRoles: Set<String> = [
        "query", "key", "value", "query_key_value", "key_value", "query_latent", "key_value_latent", "output", "gate",
        "up", "gate_up", "down", "router", "embedding_projection",
    ]

    @Test func spellings() throws {
        func read(_ model: String, _ text: String) throws -> ActivationPoint {
            try Model(Checkpoint(opening: Fixtures.path(model))).activationPoint(text)
        }
        #expect(try read("llama", "decoder.embedding") == .embedding(stack: "decoder"))
        #expect(
            try read("llama", "layers.1.attention") == .block(stack: "decoder", layer: 1, name: "attention"))
        #expect(try read("t5", "encoder.layers.0.mlp") == .block(stack: "encoder", layer: 0, name: "mlp"))
        #expect(try read("t5", "decoder.states") == .states(stack: "decoder"))
        let tensor = "model.layers.1.mlp.up_proj.weight"
        #expect(try read("llama", tensor) == .output(of: .init(tensor)))
        #expect(try read("llama", tensor + ".input") == .input(of: .init(tensor)))
        let shared = "model.layers.0.mlp.experts.down_proj"
        #expect(try read("gpt_oss", shared + ".3.input") == .input(of: .init(shared, expert: 3)))
    }

    /// A slip gives one sentence, not nothing.
    @Test(
        arguments: [
            ("layers.1.attentoin", "layers.1.attention"), ("layers.9.mlp", "layers.0.attention"),
            ("model.layers.1.mlp.up_proj", "model.layers.1.mlp.up_proj.weight"),
            ("model.layers.1.mlp.up_proj.weight.output", "model.layers.1.mlp.up_proj.weight"),
            ("model.norm.weight", nil), ("", nil),
        ])
    func slipsAreErrors(text: String, nearest: String?) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("llama")))
        let error = try #require(throws: ForwardError.self) { try model.activationPoint(text) }
        guard case .unknownActivation(_, text, let found) = error else { throw error }
        if let nearest { #expect(found == nearest) }
        #expect("\(error)".hasSuffix("ask for that or another") && !"\(error)".contains("\n"))
    }

    /// Nor is a point of another model let through, be it kept or given to a sink.
    @Test func pointsOfOtherModelsAreErrors() throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("llama")))
        let inputs = try RecordedReference("llama").inputs
        for point in [
            ActivationPoint.states(stack: "encoder"), .block(stack: "decoder", layer: 2, name: "mlp"),
            .block(stack: "decoder", layer: 0, name: "experts"), .input(of: .init("lm_head.weight", expert: 0)),
        ] {
            let expected = ForwardError.self
            #expect(throws: expected) { try model.single(inputs, activations: [point]) }
            #expect(throws: expected) { try model.double(inputs, sinks: [point: ChannelRanges()]) }
        }
    }

    /// A model without a head returns its last states.
    @Test func lastStatesAreTheOutput() throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("bert")), threads: 1)
        let inputs = try RecordedReference("bert").inputs
        let states = ActivationPoint.states(stack: "encoder")
        let output = try model.double(inputs, activations: [states])
        #expect(output.activations[states]?.elements == output.values.flatMap(\.elements))
    }

    /// What a map computes is its input times its weight; a bias is added, and the head's output are the logits.
    @Test func linearMaps() throws {
        let name = "model.layers.1.mlp.up_proj.weight"
        let path = Fixtures.path("llama_biases")
        let (model, inputs) = (try Model(Checkpoint(opening: path)), try RecordedReference("llama_biases").inputs)
        let (up, head) = (ActivationPoint.StoredMap(name), ActivationPoint.StoredMap("lm_head.weight"))
        let output = try model.double(
            inputs, activations: [.input(of: up), .output(of: up), .output(of: head)])
        #expect(output.activations.count == 3)
        let stored = try EditableModel(reading: path)
        let (weight, bias) = (try stored.values(name), try stored.values("model.layers.1.mlp.up_proj.bias"))
        let x = try #require(output.activations[.input(of: up)])
        let y = try #require(output.activations[.output(of: up)])
        #expect(x.rows == inputs.tokens.joined().count && y.columns == bias.count)
        for (row, column) in [(0, 0), (3, 7), (x.rows - 1, y.columns - 1)] {
            let sum = (0..<x.columns).reduce(Double(bias[column])) {
                $0 + x[row, $1] * Double(weight[column * x.columns + $1])
            }
            #expect((y[row, column] - sum).magnitude < 1e-13)
        }
        #expect(output.activations[.output(of: head)]?.elements == output.values.flatMap(\.elements))
    }

    /// Every position is routed to as many experts as are chosen.
    @Test(arguments: [("mixtral", 4), ("gpt_oss", 4)])
    func experts(name: String, count: Int) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path(name)))
        let inputs = try RecordedReference(name).inputs
        let points = try (0..<count).map { expert in
            try model.activationPoint(
                name == "mixtral"
                    ? "model.layers.0.block_sparse_moe.experts.\(expert).w2.weight"
                    : "model.layers.0.mlp.experts.down_proj.\(expert)")
        }
        let rows = try model.single(inputs, activations: Set(points)).activations.values.map(\.rows)
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
