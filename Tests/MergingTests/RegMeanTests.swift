import Checkpoints
import ForwardPass
import LinearAlgebra
import Merging
import TestSupport
import Testing

/// Regression means: what they make solves the normal equations of inputs that the test takes from a forward pass of its own.
@Suite struct RegMeanTests {
    private let folder: TemporaryDirectory
    private static let families = ["llama", "gpt2", "bert"]

    init() throws { folder = try TemporaryDirectory() }

    /// Two relatives of a fixture with data of their own, of as many sequences.
    private func makeModels(
        _ family: String, sequences: [Int], _ change: (inout EditableModel) throws -> Void = { _ in }
    )
        throws
    {
        for (number, name) in ["a", "b"].enumerated() {
            var random = SmallRandom(state: UInt64(number) + 11)
            var model = try EditableModel(reading: Fixtures.path(family))
            for tensor in model.tensors where tensor.type.isComputable {
                try model.editFloats(tensor.name) {
                    for i in $0.indices { $0[i] += random.uniform(in: -0.1...0.1) }
                }
            }
            try change(&model)
            try model.write(to: folder(name))
            let lines = (0..<sequences[number]).map { _ in
                "[\((0..<9).map { _ in "\(Int.random(in: 0..<50, using: &random))" }.joined(separator: ", "))]\n"
            }
            try Files.write(lines.joined(), to: folder(name + ".jsonl"))
        }
    }

    private func merge(
        weights: [Double] = [1, 1], share: Double = 0.95, threads: Int = 2, base: String? = nil
    ) throws -> EditableModel {
        Files.remove(folder("out"))
        let sources = zip(["a", "b"], weights).map { name, weight in
            MergeConfiguration.Source(
                folder(name), settings: ["weight": .value(weight)], evidence: folder(name + ".jsonl"))
        }
        let configuration = MergeConfiguration(
            .regMean, sources, base: base, settings: ["reduce_non_diag": .value(share)])
        try Merger(configuration, threads: threads).merge(to: folder("out"))
        return try EditableModel(reading: folder("out"))
    }

    /// Whether a tensor is a map of a layer that reads every position.
    private static func isMap(_ name: String, _ shape: [Int]) -> Bool {
        shape.count == 2 && [".layers.", "h.0.", "h.1.", ".layer."].contains { name.contains($0) }
    }

    /// X_iᵀ·X_i / n_i of some tensors' maps, with entries off the diagonal times the share.
    private func grams(_ name: String, of tensors: [String], share: Double) throws -> [String: NaiveMatrix] {
        let model = try Model(Checkpoint(opening: folder(name)))
        func point(_ tensor: String) -> ActivationPoint { .input(of: .init(tensor)) }
        let output = try model.double(
            ModelInputs(readingLines: folder(name + ".jsonl")), activations: Set(tensors.map(point)))
        return Dictionary(
            uniqueKeysWithValues: try tensors.map { tensor in
                let x = try #require(output.activations[point(tensor)])
                let matrix = NaiveMatrix(x.rows, x.columns, x.elements)
                var gram = matrix.transposed * matrix
                for i in 0..<gram.rows {
                    for j in 0..<gram.rows { gram[i, j] *= (i == j ? 1 : share) / Double(x.rows) }
                }
                return (tensor, gram)
            })
    }

    private static func norm(_ matrix: NaiveMatrix) -> Double {
        matrix.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }

    private static let settings: [(weights: [Double], share: Double)] = [
        ([1, 1], 0.95), ([2, 0.5], 0.5), ([1, 0], 0),
    ]

    /// Σ w_i G_i (W - W_i)ᵀ vanishes, and does so nowhere else, as the sum of the G_i is positive definite.
    @Test(arguments: families, settings)
    func mapsSolveTheNormalEquations(family: String, settings: (weights: [Double], share: Double)) throws {
        try makeModels(family, sequences: [6, 17])
        let merged = try merge(weights: settings.weights, share: settings.share)
        let models = try ["a", "b"].map { try EditableModel(reading: folder($0)) }
        let names = merged.tensors.filter { Self.isMap($0.name, $0.shape) }.map(\.name)
        #expect(names.count == (family == "llama" ? 14 : family == "gpt2" ? 8 : 12))
        let grams = try ["a", "b"].map { try self.grams($0, of: names, share: settings.share) }
        for tensor in merged.tensors {
            let found = try merged.floats(tensor.name)
            let own = try models.map { try $0.floats(tensor.name) }
            let mean = found.indices.map { i in
                (own[0][i] * settings.weights[0] + own[1][i] * settings.weights[1]) / settings.weights.reduce(0, +)
            }
            guard Self.isMap(tensor.name, tensor.shape) else {
                for (value, expected) in zip(found, mean) { #expect((value - expected).magnitude < 1e-6) }
                continue
            }
            var (residual, scale) = (NaiveMatrix?.none, 0.0)
            for (model, all) in grams.enumerated() {
                let gram = try #require(all[tensor.name])
                let apart = NaiveMatrix(tensor.shape[0], tensor.shape[1], zip(found, own[model]).map { $0 - $1 })
                let turned = gram * (tensor.shape[0] == gram.rows && family == "gpt2" ? apart : apart.transposed)
                let term = NaiveMatrix(turned.rows, turned.columns, turned.values.map { settings.weights[model] * $0 })
                residual = residual.map { $0 + term } ?? term
                scale += settings.weights[model] * Self.norm(gram) * Self.norm(apart)
            }
            let rest = try #require(residual)
            #expect(Self.norm(rest) <= 2e-6 * max(scale, 1e-3), "\(tensor.name): \(Self.norm(rest)) of \(scale)")
            // With data of two kinds that is not the mean.
            if settings.weights == [1, 1] {
                #expect(zip(found, mean).contains { ($0 - $1).magnitude > 1e-3 }, "\(tensor.name)")
            }
        }
        let bytes = try Files.tree(folder("out"))
        _ = try merge(weights: settings.weights, share: settings.share, threads: 1)
        #expect(try Files.tree(folder("out")) == bytes)
    }

    /// Models that are alike stay, whatever their data, and so does the base's own file.
    @Test func alikeModelsStay() throws {
        try makeModels("llama", sequences: [3, 5])
        Files.remove(folder("b"))
        try EditableModel(reading: folder("a")).write(to: folder("b"))
        #expect(try merge(base: Fixtures.path("llama")).safetensors == EditableModel(reading: folder("a")).safetensors)
    }

    /// A hidden channel that nothing reaches, and the others as if it were not there.
    @Test func channelsThatNothingReachesAreAveraged() throws {
        let (up, down) = ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight")
        try makeModels("llama", sequences: [6, 9]) { model in
            let columns = try model.matrixShape(up).columns
            try model.editFloats(up) { for i in 3 * columns..<4 * columns { $0[i] = 0 } }
        }
        let merged = try merge()
        let models = try ["a", "b"].map { try EditableModel(reading: folder($0)) }
        let shape = try merged.matrixShape(down)
        for row in 0..<shape.rows {
            let place = row * shape.columns + 3
            let mean = try models.reduce(0) { try $0 + $1.floats(down)[place] } / 2
            #expect(try (merged.floats(down)[place] - mean).magnitude < 1e-6)
        }
    }

    /// More examples than go through a model at once.
    @Test func batchesAddUp() throws {
        try makeModels("bert", sequences: [500, 2])
        let merged = try merge()
        let name = "bert.encoder.layer.1.attention.self.query.weight"
        let found = merged.tensors.first { $0.name.hasSuffix(name.dropFirst(5)) }
        let tensor = try #require(found)
        let grams = try ["a", "b"].map { name in
            let all = try self.grams(name, of: [tensor.name], share: 0.95)
            return try #require(all[tensor.name])
        }
        let values = try merged.floats(tensor.name)
        var residual = NaiveMatrix(grams[0].rows, tensor.shape[0])
        for (model, gram) in grams.enumerated() {
            let own = try EditableModel(reading: folder(["a", "b"][model])).floats(tensor.name)
            let apart = NaiveMatrix(tensor.shape[0], tensor.shape[1], zip(values, own).map { $0 - $1 })
            residual = residual + gram * apart.transposed
        }
        #expect(Self.norm(residual) < 1e-4 * Self.norm(grams[0]))
    }

    @Test func badDataAreRefused() throws {
        try makeModels("llama", sequences: [1, 1])
        // Nine rows do not determine a map of 48 inputs.
        let error = #expect(throws: MergeError.self) { try merge(share: 1) }
        guard case .undetermined(let tensor)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(tensor.contains("proj.weight") && error?.description.contains("\n") == false)
        let path = folder("b") + "/model.safetensors"
        let sources = [("a", folder("a.jsonl")), ("b", path)].map {
            MergeConfiguration.Source(folder($0.0), evidence: $0.1)
        }
        #expect(throws: MergeError.noCalibration(path: path)) {
            try Merger(MergeConfiguration(.regMean, sources)).merge(to: folder("out"))
        }
        let alone = MergeConfiguration(.regMean, [.init(folder("a")), .init(folder("b"))])
        #expect(throws: MergeError.missingEvidence(model: folder("a"), method: "regmean", evidence: .calibration)) {
            try Merger(alone).merge(to: folder("out"))
        }
        #expect(!Files.exists(folder("out")))
    }
}
