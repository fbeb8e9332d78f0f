import Checkpoints
import Foundations
import Merging
import TestSupport
import Testing

/// Means by Fisher information against their definition, and what is refused.
@Suite struct FisherTests {
    private let folder: TemporaryDirectory
    private static let models = ["a", "b", "c"]

    init() throws {
        folder = try TemporaryDirectory()
        for (number, name) in Self.models.enumerated() {
            var random = SmallRandom(state: UInt64(number) + 3)
            var model = try EditableModel(reading: Fixtures.path("llama"))
            for tensor in model.tensors {
                try model.editFloats(tensor.name) {
                    for i in $0.indices { $0[i] += random.uniform(in: -0.1...0.1) }
                }
            }
            try model.write(to: folder(name))
            // Of all sizes, and none at all.
            for tensor in model.tensors {
                try model.editFloats(tensor.name) {
                    for i in $0.indices {
                        $0[i] = i % 5 == 0 ? 0 : Double.exp10(random.uniform(in: -12...0))
                        if i % 7 == 0 { $0[i] = 0 }
                    }
                }
            }
            try Files.write(model.safetensors, to: folder(name + ".safetensors"))
        }
    }

    private func values(_ path: String) throws -> [String: [Double]] {
        let model = try EditableModel(readingTensors: path)
        return Dictionary(uniqueKeysWithValues: try model.tensors.map { ($0.name, try model.floats($0.name)) })
    }

    private func merge(
        _ shared: MergeConfiguration.Settings, _ weights: [MergeSetting] = [], base: String? = nil, threads: Int = 2
    ) throws -> [String: [Double]] {
        Files.remove(folder("out"))
        let sources = Self.models.enumerated().map { number, name in
            MergeConfiguration.Source(
                folder(name), settings: weights.isEmpty ? [:] : ["weight": weights[number]],
                evidence: folder(name + ".safetensors"))
        }
        try Merger(MergeConfiguration(.fisher, sources, base: base, settings: shared), threads: threads)
            .merge(to: folder("out"))
        return try values(folder("out"))
    }

    @Test(arguments: [1e-6, 0, 0.5], [[1, 1, 1], [2, 0.5, 0], [0, 0, 0]])
    func fisherIsItsDefinition(floor: Double, weights: [Double]) throws {
        let found = try merge(["fisher_floor": .value(floor)], weights.map { .value($0) })
        let models = try Self.models.map { try values(folder($0)) }
        let fishers = try Self.models.map { try values(folder($0 + ".safetensors")) }
        for (name, merged) in found {
            for (i, value) in merged.enumerated() {
                let all = try models.map { try #require($0[name])[i] }
                let shares = try zip(fishers, weights).map { try max(#require($0[name])[i], floor) * $1 }
                let total = shares.reduce(0, +)
                let plain = weights == [0, 0, 0] ? [1, 1, 1] : weights
                let (used, sum) = total > 0 ? (shares, total) : (plain, plain.reduce(0, +))
                let expected = zip(all, used).reduce(0) { $0 + $1.0 * $1.1 } / sum
                #expect((value - expected).magnitude <= 1e-6 * max(1, expected.magnitude), "\(name) \(i)")
            }
        }
        #expect(try merge(["fisher_floor": .value(floor)], weights.map { .value($0) }, threads: 1) == found)
    }

    /// A base is set apart: its files go along, and it needs no Fisher information.
    @Test func aBaseIsSetApart() throws {
        #expect(try merge([:], base: Fixtures.path("llama")) == merge([:]))
    }

    @Test func whatIsNoFisherInformationIsRefused() throws {
        let path = folder("b.safetensors")
        let name = "model.layers.1.mlp.up_proj.weight"
        let whole = try EditableModel(readingTensors: path)
        func expect(_ error: MergeError, _ change: (inout EditableModel) throws -> Void) throws {
            var model = whole
            try change(&model)
            try Files.write(model.safetensors, to: path)
            #expect(throws: error) { try merge([:]) }
            #expect(!Files.exists(folder("out")))
            #expect(!error.description.contains("\n") && error.description.contains("b.safetensors: tensor \(name)"))
        }
        try expect(.missingFisher(path: path, tensor: name, model: folder("b"))) { model in
            model.tensors.removeAll { $0.name == name }
        }
        let shape = try whole.tensors[whole.index(name)].shape
        try expect(
            .otherFisherShape(
                path: path, tensor: name, found: shape.reversed(), model: folder("b"), expected: shape)
        ) { model in
            model.tensors[try model.index(name)].shape = shape.reversed()
        }
        for value in [-1e-9, .nan, .infinity] {
            try expect(.noFisher(path: path, tensor: name)) { model in
                try model.editFloats(name) { $0[$0.count - 1] = value }
            }
        }
        let sources = [MergeConfiguration.Source(folder("a"), evidence: folder("a.safetensors")), .init(folder("b"))]
        let error = MergeError.missingEvidence(model: folder("b"), method: "fisher", evidence: .fisher)
        #expect(throws: error) { try Merger(MergeConfiguration(.fisher, sources)).merge(to: folder("out")) }
        #expect(error.description.contains("give it as fisher beside model"))
    }

    /// In YAML the file stands beside the model, of the methods that read it alone.
    @Test func filesStandBesideModels() throws {
        let models = "models: [{model: a, fisher: a.safetensors}, {model: b, fisher: b.safetensors}]"
        let configuration = try MergeConfiguration(parsing: "merge_method: fisher\n" + models)
        #expect(configuration.modules[0].slices[0].sources.map(\.evidence) == ["a.safetensors", "b.safetensors"])
        for method in ["linear", "regmean"] {
            #expect(throws: YAMLFault.self) { try MergeConfiguration(parsing: "merge_method: \(method)\n" + models) }
        }
    }
}

extension Double {
    fileprivate static func exp10(_ power: Double) -> Double {
        var result = 1.0
        for _ in 0..<Int(-power) { result /= 10 }
        return result
    }
}
