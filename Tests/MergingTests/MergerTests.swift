import Checkpoints
import Foundations
import Merging
import TestSupport
import Testing

/// Merged models against the formulas, what is accounted for, and what is refused.
@Suite struct MergerTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// Another model of the same shapes, at a path of this name.
    @discardableResult
    private func variant(
        _ name: String, of fixture: String = "llama", _ change: (inout EditableModel) throws -> Void
    ) throws -> String {
        var model = try EditableModel(reading: Fixtures.path(fixture))
        try change(&model)
        try model.write(to: folder(name))
        return folder(name)
    }

    /// Every value times a factor, with something added that differs from place to place.
    private func scaled(_ name: String, of fixture: String = "llama", by factor: Double) throws -> String {
        try variant(name, of: fixture) { model in
            for tensor in model.tensors where tensor.type.isComputable {
                try model.editFloats(tensor.name) {
                    for i in $0.indices { $0[i] = $0[i] * factor + Double((i + Int(factor * 8)) % 7) * 0.01 }
                }
            }
        }
    }

    private func values(_ path: String) throws -> [(name: String, values: [Double])] {
        let model = try EditableModel(reading: path)
        return try model.tensors.map { ($0.name, try model.floats($0.name)) }
    }

    private func weighted(_ path: String, _ weight: Double) -> MergeConfiguration.Source {
        .init(path, settings: ["weight": .value(weight)])
    }

    /// A head that is one model's table of tokens and another's own: the one is merged as a head of its own, too, whichever model comes first, and in
    /// whatever type.
    @Test(arguments: [true, false], [nil, ElementType.f32, .bf16])
    func tiedHeadsAreMergedWithThoseApart(tiedFirst: Bool, type: ElementType?) throws {
        let (head, table) = ("lm_head.weight", "model.embed_tokens.weight")
        let tied = try variant("tied", of: "llama_tied") { _ in }
        let apart = try variant("apart", of: "llama_tied") { model in
            var own = model.tensors[try model.index(table)]
            own.name = head
            model.tensors.append(own)
            try model.editFloats(head) { for i in $0.indices { $0[i] = 2 * $0[i] + 0.01 * Double(i % 5) } }
            model.config["tie_word_embeddings"] = .bool(false)
        }
        let sources = [weighted(tied, 0.25), weighted(apart, 0.75)]
        let configuration = MergeConfiguration(
            .linear, tiedFirst ? sources : sources.reversed(), outputType: type)
        let report = try Merger(configuration, threads: 2).merge(to: folder("merged"))
        let merged = try EditableModel(reading: folder("merged"))
        #expect(merged.config["tie_word_embeddings"] == .bool(false))
        let (first, second) = (try EditableModel(reading: tied), try EditableModel(reading: apart))
        #expect(Set(merged.tensors.map(\.name)) == Set(second.tensors.map(\.name)))
        let (before, own, found) = (try first.floats(table), try second.floats(head), try merged.floats(head))
        let tolerance = merged.tensors[0].type == .f32 ? 1e-6 : 1e-2
        for i in found.indices {
            #expect((found[i] - (0.25 * before[i] + 0.75 * own[i])).magnitude <= tolerance)
        }
        #expect(report.notes.contains { $0.hasPrefix("\(tied)'s head is its table of tokens") })
        #expect(!report.notes.contains { $0.hasPrefix("\(apart)'s head") })
    }

    /// Holds a merge against a formula of all models' values, one after the other, and the base's.
    private func check(
        _ configuration: MergeConfiguration, tolerance: Double = 1e-6, _ formula: ([Double], Double) -> Double
    ) throws {
        Files.remove(folder("merged"))
        try Merger(configuration, threads: 2).merge(to: folder("merged"))
        let found = try values(folder("merged"))
        let names = configuration.modules[0].slices[0].sources.map(\.model).filter { $0 != configuration.base }
        let models = try names.map(values)
        let base = try configuration.base.map(values)
        for (place, tensor) in found.enumerated() {
            for i in tensor.values.indices {
                let expected = formula(models.map { $0[place].values[i] }, base?[place].values[i] ?? 0)
                #expect(
                    (tensor.values[i] - expected).magnitude <= tolerance * max(1, expected.magnitude),
                    "\(tensor.name) \(i)")
            }
        }
    }

    @Test(arguments: [true, false])
    func linearIsTheWeightedMean(normalize: Bool) throws {
        let models = [try scaled("a", by: 1.5), try scaled("b", by: -0.25), try scaled("c", by: 3)]
        let weights = [0.5, 1, 0.25]
        let sum = normalize ? 1.75 : 1
        try check(
            .init(.linear, zip(models, weights).map(weighted), settings: normalize ? [:] : ["normalize": .value(0)])
        ) { values, _ in zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / sum }
    }

    @Test func taskVectorsAreAdded() throws {
        let (a, b) = (try scaled("a", by: 1.5), try scaled("b", by: 0.5))
        try check(
            .init(
                .taskArithmetic, [weighted(a, 0.7), weighted(b, -0.2)], base: Fixtures.path("llama"),
                settings: ["lambda": .value(0.9)])
        ) { values, base in base + 0.9 * (0.7 * (values[0] - base) - 0.2 * (values[1] - base)) }
    }

    @Test func nearValuesAreSwapped() throws {
        let other = try scaled("a", by: 1)
        try check(.init(.nearSwap, [.init(other)], base: Fixtures.path("llama"), settings: ["t": .value(0.02)])) {
            values, base in
            let share = min(0.02 / max((values[0] - base).magnitude, 1e-6), 1)
            return share * values[0] + (1 - share) * base
        }
    }

    /// One model alone is written as it is, in every type and whatever its shards, without the manifest of a protection.
    @Test(arguments: ["llama_bf16", "llama_sharded", "qwen3_moe", "bert", "clip"])
    func oneModelIsItself(name: String) throws {
        let report = try Merger(.init(.linear, [weighted(Fixtures.path(name), 0.3)])).merge(to: folder("one"))
        #expect(try Files.tree(folder("one")) == Files.tree(Fixtures.path(name)))
        #expect(try report.tensors == Checkpoint(opening: Fixtures.path(name)).tensors.count)
    }

    /// Every method, on models that are all alike, gives them back.
    @Test(arguments: MergeMethod.ofWeightsAlone, ["llama_bf16", "llama"])
    func alikeModelsStay(name: String, fixture: String) throws {
        let method = try #require(MergeMethod.builtIn.first { $0.name == name })
        let source = Fixtures.path(fixture)
        let count = min(max(method.models.lowerBound, 2), method.models.upperBound)
        // The same model by other names: one alone is named once.
        let names = (0..<count).map { "model \($0)" }
        var settings: MergeConfiguration.Settings = [:]
        for parameter in method.parameters where parameter.isRequired { settings[parameter.name] = .value(1) }
        let configuration = MergeConfiguration(
            method, names.map { .init($0) }, base: method.base == .required ? "base" : nil, settings: settings)
        try Merger(configuration).merge(to: folder("same")) { _ in try Checkpoint(opening: source) }
        let (found, expected) = (try values(folder("same")), try values(source))
        for (a, b) in zip(found, expected) {
            for (x, y) in zip(a.values, b.values) {
                #expect((x - y).magnitude <= (fixture == "llama" ? 4e-7 : 0.008) * y.magnitude, "\(a.name)")
            }
        }
        guard method.base == .required else { return }
        #expect(throws: MergeError.missingBase(method: name)) {
            try Merger(.init(method, names.map { .init($0) }, settings: settings)).merge(to: folder("none")) { _ in
                try Checkpoint(opening: source)
            }
        }
        #expect(!Files.exists(folder("none")))
    }

    /// Threads change nothing, and neither does in which order tiles are made.
    @Test(arguments: MergeMethod.ofWeightsAlone)
    func threadsChangeNothing(name: String) throws {
        let method = try #require(MergeMethod.builtIn.first { $0.name == name })
        let count = min(max(method.models.lowerBound, 2), method.models.upperBound)
        let models = try (0..<count).map { try scaled("m\($0)", by: 1 + 0.25 * Double($0)) }
        var settings: MergeConfiguration.Settings = [:]
        for parameter in method.parameters where parameter.isRequired { settings[parameter.name] = .value(1) }
        if method.parameters.contains(where: { $0.name == "density" }) { settings["density"] = .value(0.5) }
        let configuration = MergeConfiguration(
            method, models.map { .init($0) }, base: method.base == .ignored ? nil : Fixtures.path("llama"),
            settings: settings)
        try Merger(configuration, seed: 5, threads: 1).merge(to: folder("one"))
        try Merger(configuration, seed: 5, threads: 3).merge(to: folder("three"))
        #expect(try Files.tree(folder("one")) == Files.tree(folder("three")))
    }

    /// The type of the first model is the output's unless another is asked for, which config.json then names; each value is rounded once.
    @Test func typesMayDiffer() throws {
        let wide = Fixtures.path("llama")
        let narrow = try variant("n") { try $0.round(to: .bf16) }
        let pair = [weighted(narrow, 1), weighted(wide, 1)]
        try Merger(.init(.linear, pair)).merge(to: folder("m"))
        try Merger(.init(.linear, pair, outputType: .f16)).merge(to: folder("half"))
        let (a, b, found, half) = (
            try values(narrow), try values(wide), try values(folder("m")), try values(folder("half"))
        )
        for place in found.indices {
            for i in found[place].values.indices {
                let mean = Float((a[place].values[i] + b[place].values[i]) / 2)
                #expect((found[place].values[i] - Double(mean)).magnitude <= Double(mean.magnitude) / 256)
                #expect(half[place].values[i] == Double(Float16(mean)))
            }
        }
        let (merged, stored) = (try Checkpoint(opening: folder("m")), try Checkpoint(opening: folder("half")))
        #expect(merged.tensors.values.allSatisfy { $0.type == .bf16 })
        #expect(stored.tensors.values.allSatisfy { $0.type == .f16 })
        #expect(stored.config?["dtype"]?.string == "float16" || stored.config?["torch_dtype"]?.string == "float16")
    }

    /// Layers of two models stacked: each tensor is its source's, config.json counts them, and the result is a model.
    @Test(arguments: ["llama", "qwen2", "gpt2", "qwen3_moe", "llama_sharded"])
    func layersAreStacked(fixture: String) throws {
        let (a, b) = (try scaled("a", of: fixture, by: 1), try scaled("b", of: fixture, by: 2))
        let slices: [MergeConfiguration.Slice] = [
            .init([.init(a, layers: 0..<2)]), .init([.init(b, layers: 0..<1)]), .init([.init(b, layers: 1..<2)]),
        ]
        // A base gives the other files, and is no source here.
        try Merger(.init(.passthrough, modules: [.init(slices)], base: a)).merge(to: folder("s"))
        let stacked = try Checkpoint(opening: folder("s"))
        #expect(try stacked.layerCount == 4)
        let sources = [(a, 0), (a, 1), (b, 0), (b, 1)]
        let result = try EditableModel(reading: folder("s"))
        for tensor in result.tensors {
            let parts = tensor.name.split(separator: ".")
            guard let place = parts.firstIndex(where: { Int($0) != nil }), let layer = Int(parts[place]) else {
                continue
            }
            let (path, own) = sources[layer]
            let name = (parts[..<place] + ["\(own)"] + parts[(place + 1)...]).joined(separator: ".")
            let source = try EditableModel(reading: path)
            #expect(try source.tensors[source.index(name)].bytes == tensor.bytes, "\(tensor.name)")
        }
    }

    /// Where a layer's place says what it is, others may not stand there; every key that counts layers follows, and no other list.
    @Test func stacksAreModels() throws {
        for fixture in ["jamba", "qwen3_next", "modernbert"] {
            let path = Fixtures.path(fixture)
            let count = try Checkpoint(opening: path).layerCount
            let slices: [MergeConfiguration.Slice] = [
                .init([.init(path, layers: 0..<count)]), .init([.init(path, layers: 0..<1)]),
            ]
            let error = #expect(throws: MergeError.self) {
                try Merger(.init(.passthrough, modules: [.init(slices)])).merge(to: folder("out"))
            }
            guard case .noStack? = error else {
                Issue.record("\(fixture): \(String(describing: error))")
                continue
            }
            #expect(!Files.exists(folder("out")))
        }
        let doubled = try variant("doubled", of: "gpt2") {
            $0.config["num_hidden_layers"] = .int(2)
            $0.config["eos_token_id"] = .array([.int(1), .int(2)])
        }
        let slices: [MergeConfiguration.Slice] = [
            .init([.init(doubled, layers: 0..<2)]), .init([.init(doubled, layers: 1..<2)]),
        ]
        try Merger(.init(.passthrough, modules: [.init(slices)])).merge(to: folder("three"))
        let stacked = try Checkpoint(opening: folder("three"))
        #expect(stacked.config?["n_layer"]?.int == 3 && stacked.config?["num_hidden_layers"]?.int == 3)
        #expect(stacked.config?["eos_token_id"]?.array?.count == 2)
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let source = Fixtures.path("llama")
        func refuses(_ error: MergeError, _ models: [MergeConfiguration.Source], by method: MergeMethod = .linear) {
            #expect(throws: error) { try Merger(.init(method, models)).merge(to: folder("out")) }
            #expect(!error.description.contains("\n") && !Files.exists(folder("out")))
        }
        refuses(.noModels, [])
        let bert = Fixtures.path("bert")
        let tensor = "model.layers.0.mlp.up_proj.weight"
        let other = try scaled("other", by: 2)
        refuses(
            .otherArchitecture(path: bert, found: "bert", first: source, expected: "llama"),
            [weighted(source, 1), weighted(bert, 1)])
        refuses(
            .missingParameter("weight", method: "linear", model: source, tensor: "lm_head.weight"), [.init(source)])
        refuses(.namedTwice(source), [weighted(source, 1), weighted(source, 1)])
        refuses(
            .otherCount(method: "passthrough", found: 2, expected: 1...1), [.init(source), .init(other)],
            by: .passthrough)
        let odd = try variant("nan") { try $0.edit(tensor) { $0[7] = .nan } }
        refuses(.nonFinite(path: odd, tensor: tensor), [weighted(source, 1), weighted(odd, 1)])
        let huge = try variant("huge") { try $0.edit(tensor) { $0[7] = 3e38 } }
        #expect(throws: MergeError.overflow(tensor: tensor, type: "F32")) {
            try Merger(.init(.linear, [weighted(huge, 4)], settings: ["normalize": .value(0)])).merge(to: folder("out"))
        }
        // A family's description would see these first.
        let less = try variant("less") { $0.tensors.removeAll { $0.name == tensor } }
        for (models, error) in [
            ([source, less], MergeError.missingTensor(path: less, tensor: tensor, first: source)),
            ([less, source], .missingTensor(path: less, tensor: tensor, first: source)),
        ] {
            #expect(throws: error) {
                try Merger(.init(.linear, models.map { weighted($0, 1) }), byName: true).merge(to: folder("out"))
            }
        }
    }

    /// Another vocabulary is told of: its rows may be other tokens'.
    @Test func otherVocabulariesAreTold() throws {
        let (a, b) = (try scaled("a", by: 1), try scaled("b", by: 2))
        func tokenizer(_ tokens: String, length: Int) -> String {
            """
            {"truncation": \(length), "added_tokens": [{"id": 2, "content": "end"}], "model": {"vocab": {\(tokens)}}}
            """
        }
        for (path, text) in [(a, tokenizer("\"x\": 0", length: 8)), (b, tokenizer("\"x\": 1", length: 8))] {
            try Files.write(text, to: path + "/tokenizer.json")
            try Files.write("one", to: path + "/vocab.txt")
        }
        let notes = try Merger(.init(.linear, [weighted(a, 1), weighted(b, 1)])).merge(to: folder("m")).notes
        #expect(notes.count == 1 && notes[0].hasPrefix("\(b)/tokenizer.json is another"))
        #expect(try Files.read(folder("m") + "/tokenizer.json") == Files.read(a + "/tokenizer.json"))
        // How it cuts texts is no vocabulary.
        try Files.write(tokenizer("\"x\": 0", length: 9), to: b + "/tokenizer.json")
        #expect(try Merger(.init(.linear, [weighted(a, 1), weighted(b, 1)])).merge(to: folder("n")).notes.isEmpty)
    }

    /// What a family's description does not know is merged by names where that is asked for, and refused else.
    @Test func unknownFamiliesAreMergedByName() throws {
        func stranger(_ name: String) throws -> String {
            let path = try scaled(name, by: name == "a" ? 1 : 2)
            var config = try String(decoding: Files.read(path + "/config.json"), as: UTF8.self)
            config = config.replacing("\"model_type\": \"llama\"", with: "\"model_type\": \"stranger\"")
            try Files.write(config, to: path + "/config.json")
            return path
        }
        let (a, b) = (try stranger("a"), try stranger("b"))
        let configuration = MergeConfiguration(.linear, [weighted(a, 1), weighted(b, 1)])
        #expect(throws: (any Error).self) { try Merger(configuration).merge(to: folder("out")) }
        #expect(!Files.exists(folder("out")))
        try Merger(configuration, byName: true).merge(to: folder("out"))
        let (x, y, found) = (try values(a), try values(b), try values(folder("out")))
        for place in found.indices {
            for (i, value) in found[place].values.enumerated() {
                let mean = (x[place].values[i] + y[place].values[i]) / 2
                #expect((value - mean).magnitude <= 1e-6 * max(1, mean.magnitude))
            }
        }
    }
}

extension Checkpoint {
    /// What config.json says.
    fileprivate var layerCount: Int {
        get throws {
            let count = config?["num_hidden_layers"]?.int ?? config?["n_layer"]?.int
            return try #require(count)
        }
    }
}
