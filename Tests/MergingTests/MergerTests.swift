import Checkpoints
import Merging
import TestSupport
import Testing

/// Merged models against the formula, and what is refused.
@Suite struct MergerTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// Another model of the same shapes: every value of the fixture times a factor of its own.
    private func variant(
        _ name: String, of fixture: String = "llama", _ change: (inout EditableModel) throws -> Void
    )
        throws -> Checkpoint
    {
        var model = try EditableModel(reading: Fixtures.path(fixture))
        try change(&model)
        try model.write(to: folder(name))
        return try Checkpoint(opening: folder(name))
    }

    private func values(_ checkpoint: Checkpoint, _ tensor: String) throws -> [Float] {
        let record = try #require(checkpoint.tensors[tensor])
        var values = [Float](repeating: 0, count: record.elementCount)
        values.withUnsafeMutableBufferPointer { buffer in
            if let from = checkpoint.bytes(of: record).baseAddress, let to = buffer.baseAddress {
                record.type.widen(from, into: to, record.elementCount)
            }
        }
        return values
    }

    private func scaled(_ name: String, by factor: Float) throws -> Checkpoint {
        try variant(name) { model in
            for tensor in model.tensors.map(\.name) {
                try model.edit(tensor) { for i in $0.indices { $0[i] = $0[i] * factor + Float(i % 7) * 0.01 } }
            }
        }
    }

    @Test(arguments: [true, false])
    func linearIsTheWeightedMean(normalize: Bool) throws {
        let models = [try scaled("a", by: 1.5), try scaled("b", by: -0.25), try scaled("c", by: 3)]
        let weights: [Float] = [0.5, 1, 0.25]
        try Merger(.linear, values: normalize ? [:] : ["normalize": 0]).merge(
            zip(models, weights).map { Merger.Model($0, weight: Double($1)) }, to: folder("merged"))
        let merged = try Checkpoint(opening: folder("merged"))
        let sum: Float = normalize ? 1.75 : 1
        for tensor in models[0].tensors.keys {
            let (found, all) = (try values(merged, tensor), try models.map { try values($0, tensor) })
            for i in found.indices {
                let expected = zip(all, weights).reduce(Float(0)) { $0 + $1.1 / sum * $1.0[i] }
                #expect((found[i] - expected).magnitude <= 4e-7 * max(1, expected.magnitude), "\(tensor) \(i)")
            }
        }
    }

    /// One model alone is written as it is, in every type and whatever its shards, without the manifest of a protection.
    @Test(arguments: ["llama_bf16", "llama_sharded", "qwen3_moe", "bert"])
    func oneModelIsItself(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        try Merger(.linear).merge([.init(source, weight: 0.3)], to: folder("one"))
        #expect(try Files.tree(folder("one")) == Files.tree(source.path))
    }

    /// The type of the first model is the output's; the others are widened from theirs.
    @Test func typesMayDiffer() throws {
        let wide = try Checkpoint(opening: Fixtures.path("llama"))
        let narrow = try variant("n") {
            try $0.convert(to: .bf16) { value in
                withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { Array($0) }
            }
        }
        try Merger(.linear).merge([.init(narrow, weight: 1), .init(wide, weight: 1)], to: folder("m"))
        let merged = try Checkpoint(opening: folder("m"))
        let tensor = "model.layers.0.mlp.up_proj.weight"
        #expect(merged.tensors[tensor]?.type == .bf16)
        let (a, b, found) = (try values(narrow, tensor), try values(wide, tensor), try values(merged, tensor))
        for i in found.indices {
            let mean = (a[i] + b[i]) / 2
            #expect((found[i] - mean).magnitude <= mean.magnitude / 256, "\(i)")
        }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        func refuses(_ error: MergeError, _ models: [Checkpoint], weight: Double = 1) {
            #expect(throws: error) {
                try Merger(.linear).merge(models.map { .init($0, weight: weight) }, to: folder("out"))
            }
            #expect(!error.description.contains("\n") && !Files.exists(folder("out")))
        }
        refuses(.noModels, [])
        refuses(.invalidWeight(path: source.path, .infinity), [source], weight: .infinity)
        let bert = try Checkpoint(opening: Fixtures.path("bert"))
        refuses(
            .otherArchitecture(path: bert.path, found: "bert", first: source.path, expected: "llama"), [source, bert])
        let tensor = "model.layers.0.mlp.up_proj.weight"
        let odd = try variant("nan") { try $0.edit(tensor) { $0[7] = .nan } }
        refuses(.nonFinite(path: odd.path, tensor: tensor), [source, odd])
        #expect(throws: MergeError.unknownParameter("lambda", method: "linear", known: ["normalize"])) {
            try Merger(.linear, values: ["lambda": 1])
        }
        #expect(throws: MergeError.parameterOutOfRange("normalize", 2, 0...1)) {
            try Merger(.linear, values: ["normalize": 2])
        }
    }

    /// Every method, on models that are all alike, gives them back; where a base is needed and missing, it says so.
    @Test(arguments: MergeMethod.builtIn.map(\.name))
    func alikeModelsStay(name: String) throws {
        let method = try #require(MergeMethod.builtIn.first { $0.name == name })
        let source = try Checkpoint(opening: Fixtures.path("llama_bf16"))
        let models = [Merger.Model](repeating: .init(source, weight: 0.5), count: 2)
        try Merger(method).merge(models, base: method.needsBase ? source : nil, to: folder("same"))
        #expect(try Files.tree(folder("same")) == Files.tree(source.path))
        guard method.needsBase else { return }
        #expect(throws: MergeError.missingBase(method: name)) { try Merger(method).merge(models, to: folder("none")) }
    }
}
