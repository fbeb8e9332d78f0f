import Alignment
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing

/// Elements found by what both models compute on the same inputs.
@Suite struct ActivationMatchingTests {
    private let place: Workplace
    private var folder: TemporaryDirectory { place.folder }
    private static let inputs = ModelInputs(
        tokens: (0..<24).map { start in (0..<24).map { (start * 17 + $0 * $0 * 11 + $0 * start + 5) % 50 } })

    init() throws { place = try Workplace() }

    private func scores(
        _ method: AlignmentMethod, _ protected: Checkpoint, _ base: Checkpoint, threads: Int = 2
    ) throws -> (aligned: Checkpoint, scores: [Site.Kind: AlignmentScore]) {
        let (aligned, report) = try Aligner(method, calibration: Self.inputs, threads: threads)
            .aligned(protected, to: base)
        let acted = try Protector.elements(of: protected, key: Workplace.key)
        return (aligned, AlignmentScore.all(of: report, against: acted))
    }

    /// A model with noise on every weight that was locked: all places are found, elements to a few hundredths, and the function is kept.
    @Test(
        arguments: [
            "llama", "qwen2", "gpt2", "bert", "mixtral", "phi3", "phi3_partial", "gemma2", "qwen3", "falcon_new",
            "gptj",
            "deepseek_v3", "llama_biases", "olmoe", "opt",
        ], [[ProtectionMethod.full], [.mergelock, .params]])
    func locksComeUndone(name: String, methods: [ProtectionMethod]) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: folder)
        let protected = try place.protect(own, methods)
        let (aligned, scores) = try scores(.activations, protected, base)
        let distance = try place.distance(aligned, own)
        #expect(distance < 0.1)
        #expect(try place.difference(aligned, protected) < 1e-4)
        for (kind, score) in scores {
            #expect(score.permutationShare ?? 1 == 1, "\(kind)")
            #expect(score.error ?? 0 < 0.15, "\(kind)")
        }
    }

    /// Without training nothing stands between the base's activations and the element.
    @Test(arguments: ["llama", "gpt2", "mixtral", "phi3_partial", "bert"])
    func theBaseItselfComesBack(name: String) throws {
        let own = try Checkpoint(opening: Fixtures.path(name))
        let protected = try place.protect(own, [.mergelock, .params])
        let (aligned, scores) = try scores(.activations, protected, own)
        let distance = try place.distance(aligned, own)
        #expect(distance < 1e-3)
        for (kind, score) in scores {
            #expect(score.permutationShare ?? 1 == 1, "\(kind)")
            #expect(score.error ?? 0 < 1e-3, "\(kind)")
        }
    }

    /// Permutations of hidden channels, heads, experts and streams, by inner products alone; nothing else is moved, and rotary pairs stay.
    @Test(arguments: ["bert", "gpt2", "llama", "mixtral", "qwen2"]) func permutationsAreFound(name: String) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: folder)
        let protected = try place.protect(own, [.lossless])
        let (aligned, scores) = try scores(.gitRebasinActivations, protected, base)
        for (kind, score) in scores where kind == .heads || kind == .experts || kind == .residual {
            #expect(score.permutationShare ?? 1 == 1, "\(kind)")
        }
        #expect(try place.difference(aligned, protected) < 1e-4)
        guard name == "bert" || name == "gpt2" else { return }
        #expect(scores[.mlp]?.permutationShare == 1)
        let report = try Aligner(.gitRebasinActivations, calibration: Self.inputs).aligned(protected, to: base).1
        place.expectPermutations(ofValues: report)
    }

    /// Streams that were turned come back by their tables, and what lies within by activations.
    @Test func turnedStreamsComeBack() throws {
        let (own, base) = try EditableModel.withBase("llama", .f32, in: folder)
        var options = ProtectionOptions(StepOptions(method: .full))
        (options.nonce, options.writesCard, options.residual) = (.zero, false, .rotation)
        _ = try Protector.unsynchronized.protect(own, to: folder("p"), key: Workplace.key, options: options)
        let protected = try Checkpoint(opening: folder("p"))
        let (aligned, scores) = try scores(.activations, protected, base)
        #expect(try place.distance(aligned, own) < 0.1)
        #expect(scores[.heads]?.permutationShare ?? 1 == 1)
        #expect(scores[.mlp]?.permutationShare == 1)
    }

    /// For any number of threads the same.
    @Test func threadsDoNotMatter() throws {
        let (own, base) = try EditableModel.withBase("mixtral", .f32, in: folder)
        let protected = try place.protect(own, [.full])
        for (name, threads) in [("one", 1), ("three", 3)] {
            try Aligner(.activations, calibration: Self.inputs, threads: threads).align(
                protected, to: base, writing: folder(name))
        }
        #expect(try Files.tree(folder("one")) == Files.tree(folder("three")))
    }

    /// Inputs on which embeddings are too large or zero, and none at all, each end in a sentence.
    @Test(arguments: [AlignmentMethod.activations, .gitRebasinActivations, .coupledActivations].map(\.name))
    func unusableActivationsAreNamed(name: String) throws {
        let method = try #require(AlignmentMethod.builtIn.first { $0.name == name })
        let own = try Checkpoint(opening: Fixtures.path("llama"))
        #expect(throws: AlignmentError.noCalibration(method: name)) { try Aligner(method).aligned(own, to: own) }
        for value in [3e38, 0] {
            var model = try EditableModel(reading: own.path)
            try model.editFloats("model.embed_tokens.weight") { values in
                for place in values.indices { values[place] = value }
            }
            Files.remove(folder("odd"))
            let odd = try Checkpoint(opening: try model.write(to: folder("odd")))
            do {
                _ = try Aligner(method, calibration: Self.inputs).aligned(own, to: odd)
                Issue.record("\(value) was taken")
            } catch let error as AlignmentError {
                switch error {
                case .noActivations(let tensor):
                    #expect(tensor.contains("layers.0.self_attn") && method.name == "coupled_activations")
                case .noActivationsAt(let path, let point):
                    #expect(path == odd.path && !point.isEmpty && method.name != "coupled_activations")
                default: Issue.record("\(error)")
                }
                #expect("\(error)".contains("give other inputs or repair"))
            }
        }
        // The protected model is looked at, too, but for its inputs' moments.
        guard method.name != "coupled_activations" else { return }
        let odd = try Checkpoint(opening: folder("odd"))
        #expect(throws: AlignmentError.self) { try Aligner(method, calibration: Self.inputs).aligned(odd, to: own) }
    }

    /// What inputs do not show, the weights tell: fewer positions than a head has channels.
    @Test(arguments: ["llama", "gpt2"]) func fewInputsAreEnough(name: String) throws {
        let own = try Checkpoint(opening: Fixtures.path(name))
        let protected = try place.protect(own, [.mergelock])
        let inputs = ModelInputs(tokens: [[3, 14, 15, 9]])
        let aligned = try Aligner(.activations, calibration: inputs).aligned(protected, to: own).0
        #expect(try place.distance(aligned, own) < 1e-2)
    }

    /// Channels of MLPs that were made longer come back, and permutations alone leave them so.
    @Test(arguments: ["llama", "mixtral"]) func sizesOfChannelsComeBack(name: String) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: folder)
        var model = try EditableModel(reading: own.path)
        for tensor in model.tensors.map(\.name) where tensor.contains(name == "llama" ? "mlp" : "experts") {
            let isUp = tensor.contains("up_proj") || tensor.contains("w3")
            guard isUp || tensor.contains("down_proj") || tensor.contains("w2") else { continue }
            try model.editFloats(tensor) { values in for i in values.indices { values[i] *= isUp ? -8 : -0.125 } }
        }
        let sized = try Checkpoint(opening: try model.write(to: folder("sized")))
        let found = try Aligner(.activations, calibration: Self.inputs).aligned(sized, to: base).0
        #expect(try place.distance(found, own) < 0.1)
        let moved = try Aligner(.gitRebasinActivations, calibration: Self.inputs).aligned(sized, to: base).0
        #expect(try place.distance(moved, own) > 0.3)
    }

    /// Where keys were spoilt, queries tell the element.
    @Test func bothSidesAreLookedAt() throws {
        let (own, base) = try EditableModel.withBase("gpt2", .f32, in: folder)
        var model = try EditableModel(reading: own.path)
        var stream = KeyedRandomStream(secret: [4], info: "keys")
        for tensor in model.tensors where tensor.name.hasSuffix("c_attn.weight") {
            let width = tensor.shape[1]
            try model.editFloats(tensor.name) { values in
                for place in values.indices where (width / 3..<2 * width / 3).contains(place % width) {
                    values[place] *= 1 + 3 * (stream.nextUnit() - 0.5)
                }
            }
        }
        let noisy = try Checkpoint(opening: try model.write(to: folder("noisy")))
        let error = try #require(
            try scores(.activations, try place.protect(noisy, [.mergelock]), base).scores[.queryKey]?.error)
        #expect(error < 0.6)
    }

    /// Rows of a routed expert are those of the positions that both models send to it.
    @Test func routedRowsAreOfOnePosition() throws {
        let own = try Model(try Checkpoint(opening: Fixtures.path("mixtral")))
        let other = try Model(
            try Checkpoint(
                opening: try EditableModel.base(of: Fixtures.path("mixtral"), off: 0.9).write(to: folder("far"))))
        let maps = own.architecture.storedMaps
        let router = try #require(maps.first { $0.tensor.contains("layers.1") && $0.tensor.hasSuffix("gate.weight") })
        let experts = maps.filter { $0.tensor.contains("layers.1") && $0.tensor.contains("experts") }
        var rows: [ActivationPoint: Model.PairedActivations] = [:]
        try own.inStep(
            with: other, on: Self.inputs, observing: Set((experts + [router]).map { .input(of: $0) })
        ) { computed, _ in rows.merge(computed) { $1 } }
        let all = try #require(rows[.input(of: router)])
        func row(_ matrix: Matrix<Float>, _ number: Int) -> [Float] {
            Array(matrix.elements[number * matrix.columns..<(number + 1) * matrix.columns])
        }
        var places: [[Float]: Set<Int>] = [:]
        for place in 0..<all.own.rows { places[row(all.own, place), default: []].insert(place) }
        var (count, fewer) = (0, 0)
        for map in experts {
            guard let pair = rows[.input(of: map)], pair.own.columns == all.own.columns else { continue }
            for number in 0..<pair.own.rows {
                let place = try #require(
                    places[row(pair.own, number)]?.first { row(all.other, $0) == row(pair.other, number) })
                #expect(place < all.own.rows)
                count += 1
            }
            fewer += pair.own.rows < all.own.rows ? 1 : 0
        }
        #expect(count > 0 && fewer > 0)
    }
}
