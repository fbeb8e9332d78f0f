import Checkpoints
import Foundations
import Merging
import TestSupport
import Testing

/// What YAML says of a merge: read strictly, and resolved in mergekit's order.
@Suite struct MergeConfigurationTests {
    private let folder: TemporaryDirectory
    /// The models a and b: copies of a fixture, every weight of a being 1 and of b being 2, so that a mean tells its weights.
    private let models: [String: String]

    init() throws {
        folder = try TemporaryDirectory()
        var models: [String: String] = [:]
        for (name, value) in [("a", 1.0), ("b", 2.0)] {
            var model = try EditableModel(reading: Fixtures.path("llama"))
            for tensor in model.tensors {
                try model.editFloats(tensor.name) { for i in $0.indices { $0[i] = value } }
            }
            try model.write(to: folder(name))
            models[name] = folder(name)
        }
        self.models = models
    }

    /// The first value of each tensor of what a configuration merges.
    private func merged(_ yaml: String) throws -> [String: Double] {
        Files.remove(folder("out"))
        let paths = models
        try Merger(try MergeConfiguration(parsing: yaml)).merge(to: folder("out")) { name in
            try Checkpoint(opening: paths[name] ?? name)
        }
        let model = try EditableModel(reading: folder("out"))
        return Dictionary(
            uniqueKeysWithValues: try model.tensors.map { ($0.name, try #require(model.floats($0.name).first)) })
    }

    /// A weight's share w of b makes 1 + w of the sum a (1 - w) + b w.
    @Test func filtersAndGradients() throws {
        let found = try merged(
            """
            merge_method: slerp
            base_model: a
            models: [{model: a}, {model: b}]
            parameters:
              t:
                - filter: self_attn
                  value: [0, 1]
                - filter: mlp.up
                  value: 0.25
                - value: 0.5
            """)
        // Alike in direction, so that the interpolation is linear. There are two layers.
        #expect(found["model.layers.0.self_attn.q_proj.weight"] == 1)
        #expect(found["model.layers.1.self_attn.q_proj.weight"] == 2)
        #expect(found["model.layers.0.mlp.up_proj.weight"] == 1.25)
        #expect(found["model.layers.1.mlp.gate_proj.weight"] == 1.5)
        #expect(found["model.embed_tokens.weight"] == 1.5 && found["lm_head.weight"] == 1.5)
    }

    /// As mergekit takes them: numbers in quotes, and filters that every name holds.
    @Test(arguments: ["''", "'*'", "null", "mlp"]) func looseSpellings(filter: String) throws {
        let found = try merged(
            """
            merge_method: linear
            models:
              - {model: a, parameters: {weight: [{filter: \(filter), value: "3"}, {value: 1}]}}
              - {model: b, parameters: {weight: "1e0"}}
            """)
        #expect(found["model.layers.0.mlp.up_proj.weight"] == 1.25)
        #expect(found["model.embed_tokens.weight"] == (filter == "mlp" ? 1.5 : 1.25))
    }

    /// What is said of a model comes before what its slice says, and that before the whole.
    @Test func theNearestWordCounts() throws {
        let found = try merged(
            """
            merge_method: linear
            slices:
              - sources:
                  - {model: a, layer_range: [0, 1], parameters: {weight: 3}}
                  - {model: b, layer_range: [0, 1]}
                parameters: {weight: 1}
              - sources:
                  - {model: a, layer_range: [1, 2]}
                  - {model: b, layer_range: [1, 2]}
                parameters: {normalize: false}
            parameters: {weight: 2}
            """)
        #expect(found["model.layers.0.self_attn.q_proj.weight"] == 1.25)
        #expect(found["model.layers.1.self_attn.q_proj.weight"] == 6)
        // Embeddings are merged as the first slice says, what stands behind the layers as the last.
        #expect(found["model.embed_tokens.weight"] == 1.25 && found["lm_head.weight"] == 6)
    }

    @Test func numbersBetweenLayersAreInterpolated() throws {
        let yaml = """
            merge_method: linear
            slices:
              - sources: [{model: a, layer_range: [0, 2], parameters: {weight: [1, 0]}}, {model: b, layer_range: [0, 2], parameters: {weight: [0, 1]}}]
            dtype: float32
            """
        let found = try merged(yaml)
        #expect(found["model.layers.0.mlp.up_proj.weight"] == 1 && found["model.layers.1.mlp.up_proj.weight"] == 2)
        // A gradient of three over two layers: its ends.
        let three = try merged(yaml.replacing("[1, 0]", with: "[1, 9, 0]").replacing("[0, 1]}}", with: "[0, 9, 1]}}"))
        #expect(three["model.layers.0.mlp.up_proj.weight"] == 1 && three["model.layers.1.mlp.up_proj.weight"] == 2)
    }

    /// Each names its line, and nothing is read past it.
    @Test(
        arguments: [
            ("merge_method: linear\nmodels: [{model: a}]\nmodles: 1", 3, "unknown"),
            ("merge_method: linear\nmodels: [{model: a}]\nmodels: [{model: b}]", 2, "twice"),
            ("merge_method: lineal\nmodels: [{model: a}]", 1, "unknown"),
            ("models: [{model: a}]", 1, "merge_method is missing"),
            ("merge_method: linear", 1, "found none"),
            ("merge_method: linear\nmodels: [{model: a}]\nslices: []", 1, "models and slices"),
            ("merge_method: linear\nmodels: []", 2, "no list of one item"),
            ("merge_method: linear\nmodels: [{modle: a}]", 2, "unknown"),
            ("merge_method: linear\nmodels: [{parameters: {weight: 1}}]", 2, "model is missing"),
            ("merge_method: linear\nmodels:\n - model: a\n   parameters: {weight: heavy}", 4, "expected a number"),
            ("merge_method: linear\nmodels:\n - model: a\n   parameters: {wieght: 1}", 4, "unknown"),
            ("merge_method: linear\nmodels:\n - model: a\n   parameters: {weight: .inf}", 4, "expected"),
            ("merge_method: linear\nmodels: [{model: a}]\nparameters: {normalize: 0.5}", 3, "true or false"),
            ("merge_method: linear\nmodels: [{model: a}]\ndtype: float8", 3, "type float8"),
            ("merge_method: passthrough\nslices:\n - sources: [{model: a, layer_range: [2, 1]}]", 3, "layer_range"),
            ("merge_method: passthrough\nslices:\n - sources: [{model: a}]", 3, "layer_range"),
            (
                "merge_method: linear\nslices:\n - sources: [{model: a, layer_range: [0, 1]}, {model: b, layer_range: [0, 2]}]",
                3, "different numbers"
            ),
            ("merge_method: linear\nmodels: [{model: a}]\nchat_template: auto", 3, "chat_template"),
            ("merge_method: linear\nmodels: [{model: a}]\nparameters: [1]", 3, "is a map"),
            ("merge_method: linear\nmodels: [{model: a}]\ndtype: [float32]", 3, "a type"),
            ("merge_method: linear\nmodels: [{model: {}}]", 2, "path or name"),
            ("merge_method: passthrough\nmodules: []", 2, "modules is a map"),
            ("merge_method: passthrough\nmodules: {}", 2, "modules is a map"),
            (
                "merge_method: passthrough\nmodules:\n default: {models: [{model: a}], slices: []}", 3,
                "models and slices"
            ),
            ("merge_method: passthrough\nslices:\n - {parameters: {}}", 3, "without sources"),
            ("merge_method: linear\nmodels: &x [{model: a, parameters: *x}]", 2, "alias"),
        ])
    func faultsNameTheirLine(yaml: String, line: Int, words: String) throws {
        do {
            _ = try MergeConfiguration(parsing: yaml)
            Issue.record("read: \(yaml)")
        } catch {
            #expect(error.line == line && error.reason.contains(words), "\(error)")
        }
    }

    /// Of different layers, no base stands beside them unless its own are named.
    @Test func baseLayersAreNamedOrAlike() throws {
        let third = Fixtures.path("llama")
        func yaml(_ first: Int, _ more: String) -> String {
            """
            {merge_method: task_arithmetic, base_model: a, parameters: {weight: 0.5, normalize: false}, slices: [{sources: [
            {model: b, layer_range: [\(first), \(first + 1)]}, {model: \(third), layer_range: [1, 2]}\(more)]}]}
            """
        }
        #expect(throws: MergeError.noBaseLayers(base: "a")) { try merged(yaml(0, "")) }
        #expect(!Files.exists(folder("out")))
        let named = try merged(yaml(0, ", {model: a, layer_range: [0, 1]}"))
        #expect(try merged(yaml(1, "")).count == named.count)
    }

    @Test func layersThatAreNotThereAreRefused() throws {
        let path = try #require(models["a"])
        #expect(throws: MergeError.noLayer(path: path, layer: 2)) {
            try merged("merge_method: passthrough\nslices:\n - sources: [{model: a, layer_range: [1, 3]}]")
        }
        #expect(!Files.exists(folder("out")))
    }
}
