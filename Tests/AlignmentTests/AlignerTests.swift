import Alignment
import Checkpoints
import ForwardPass
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing

/// Locks undone with the base alone: where weights come to lie, what was found, and what the result computes.
@Suite struct AlignerTests {
    private let place: Workplace
    private var folder: TemporaryDirectory { place.folder }

    init() throws { place = try Workplace() }

    /// A fine-tuned model that was locked lies beside its base again, all places are found, and it computes what it did.
    @Test(
        arguments: [
            "llama", "qwen2", "gpt2", "bert", "mixtral", "phi3", "phi3_partial", "gemma2", "qwen3", "falcon_new",
            "gptj", "glm4",
            "deepseek_v3", "llama_biases", "olmoe", "opt", "minimax_m2",
        ], [[ProtectionMethod.full], [.params], [.lossless], [.mergelock, .params]])
    func locksComeUndone(name: String, methods: [ProtectionMethod]) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: folder)
        let protected = try place.protect(own, methods)
        let (aligned, report) = try Aligner(.coupled, threads: 2).aligned(protected, to: base)
        let before = try place.distance(protected, own)
        #expect(before > 0.5)
        #expect(try place.distance(aligned, own) < 0.03)
        for (kind, score) in AlignmentScore.all(
            of: report, against: try Protector.elements(of: protected, key: Workplace.key))
        {
            #expect(score.permutationShare ?? 1 == 1, "\(kind)")
            #expect(score.error ?? 0 < 0.05, "\(kind)")
        }
        #expect(report.estimates.values.allSatisfy { $0.agreement > 0.97 && $0.agreement <= 1 + 1e-12 })
        #expect(try place.difference(aligned, protected) < 1e-4)
    }

    /// Without fine-tuning nothing stands between the base and the element: what comes out is the base, to rounding.
    @Test(arguments: ["llama", "gpt2", "mixtral", "phi3"])
    func theBaseItselfComesBack(name: String) throws {
        let own = try Checkpoint(opening: Fixtures.path(name))
        let protected = try place.protect(own, [.mergelock])
        for method in [AlignmentMethod.coupled, .reverse, .reverseOutput, .aga] {
            let (aligned, report) = try Aligner(method).aligned(protected, to: own)
            #expect(try place.distance(aligned, own) < 1e-5, "\(method.name)")
            #expect(report.estimates.values.allSatisfy { $0.agreement > 1 - 1e-9 })
        }
    }

    /// What is left of a decoy's correlation tells the element to a fit in the other direction, on what was not decoyed.
    @Test func decoysAreSeenFromTheBase() throws {
        let (own, base) = try EditableModel.withBase("gpt2", .f32, in: folder)
        var options = ProtectionOptions(StepOptions(method: .decoy), then: [StepOptions(method: .mergelock)])
        (options.nonce, options.writesCard, options.base) = (.zero, false, base)
        options.calibration = ModelInputs(
            tokens: (0..<60).map { start in (0..<24).map { (start * 31 + $0 * $0 * 7) % 50 } })
        _ = try Protector.unsynchronized.protect(own, to: folder("p"), key: Workplace.key, options: options)
        let protected = try Checkpoint(opening: folder("p"))
        func error(_ method: AlignmentMethod) throws -> Double {
            let report = try Aligner(method).aligned(protected, to: base).1
            let acted = try Protector.elements(of: protected, key: Workplace.key)
            return try #require(AlignmentScore.all(of: report, against: acted)[.valueOutput]?.error)
        }
        #expect(try error(.coupled) > 2 * error(.reverseOutput))
    }

    /// Orthogonal elements are found by an orthogonal fit, others by halves.
    @Test func procrustesFindsWhatIsOrthogonal() throws {
        let (own, base) = try EditableModel.withBase("gpt2", .f32, in: folder)
        let orthogonal = try place.protect(own, [.mergelock], sampler: .orthogonal)
        #expect(try place.distance(Aligner(.procrustes).aligned(orthogonal, to: base).0, own) < 0.03)
        let dense = try place.protect(own, [.mergelock])
        let found = try place.distance(Aligner(.procrustes).aligned(dense, to: base).0, own)
        #expect(found > 0.1)
        #expect(try found < place.distance(dense, own))
    }

    /// Fits of each projection by itself come as near, and compute something else.
    @Test func eachProjectionByItselfChangesTheFunction() throws {
        let (own, base) = try EditableModel.withBase("bert", .f32, in: folder)
        let protected = try place.protect(own, [.mergelock])
        let (aligned, report) = try Aligner(.aga).aligned(protected, to: base)
        #expect(try place.distance(aligned, own) < 0.03)
        #expect(try place.difference(aligned, protected) > 1e-3)
        #expect(try #require(report.agreement(.valueOutput)) > 0.99)
        #expect(report.agreement(.experts) == nil)
    }

    /// What is written is what was found, without the manifest, for any number of threads.
    @Test func theAlignedModelIsWritten() throws {
        let (own, base) = try EditableModel.withBase("qwen2", .f32, in: folder)
        let protected = try place.protect(own, [.full])
        try Aligner(.coupled, threads: 1).align(protected, to: base, writing: folder("one"))
        try Aligner(.coupled, threads: 3).align(protected, to: base, writing: folder("three"))
        #expect(try Files.tree(folder("one")) == Files.tree(folder("three")))
        #expect(Set(Files.names(in: folder("one"))) == Set(Files.names(in: own.path)))
        #expect(try place.distance(Checkpoint(opening: folder("one")), own) < 0.03)
    }

    @Test func whatDoesNotBelongTogetherIsRefused() throws {
        let own = try Checkpoint(opening: Fixtures.path("llama"))
        let other = try Checkpoint(opening: Fixtures.path("gpt2"))
        #expect(throws: AlignmentError.nothingInCommon(path: other.path, other: own.path)) {
            try Aligner(.coupled).aligned(own, to: other)
        }
        let tensor = "model.layers.0.self_attn.v_proj.weight"
        var model = try EditableModel(reading: own.path)
        try model.edit(tensor) { $0[3] = .infinity }
        let odd = try Checkpoint(opening: try model.write(to: folder("odd")))
        for (protected, base) in [(odd, own), (own, odd)] {
            #expect(throws: AlignmentError.nonFinite(path: odd.path, tensor: tensor)) {
                try Aligner(.coupled).aligned(protected, to: base)
            }
        }
        model.tensors.removeAll { $0.name == tensor }
        let less = try Checkpoint(opening: try model.write(to: folder("less")))
        #expect(throws: AlignmentError.missingTensor(path: less.path, tensor: tensor, other: own.path)) {
            try Aligner(.coupled).aligned(own, to: less)
        }
        var empty = try EditableModel(reading: Fixtures.path("gpt2"))
        for name in empty.tensors.map(\.name) where name.contains("attn") {
            try empty.edit(name) { for i in $0.indices { $0[i] = 0 } }
        }
        let blank = try Checkpoint(opening: try empty.write(to: folder("blank")))
        for method in AlignmentMethod.builtIn where method.name != "procrustes" {
            #expect(throws: AlignmentError.self, "\(method.name)") { try Aligner(method).aligned(other, to: blank) }
        }
        let mistral = try Checkpoint(opening: Fixtures.path("phi3"))
        #expect(throws: AlignmentError.self) { try Aligner(.coupled).aligned(mistral, to: own) }
    }

    /// A base of another type may lie where the protected model's type has no numbers.
    @Test func valuesBeyondTheTypeAreRefused() throws {
        let (own, _) = try EditableModel.withBase("llama", .f16, in: folder)
        var far = try EditableModel(reading: Fixtures.path("llama"))
        for name in far.tensors.map(\.name) {
            let size = name.contains("v_proj") ? 1e7 : name.contains("o_proj") ? 1e-7 : 1
            try far.editFloats(name) { for i in $0.indices { $0[i] *= size } }
        }
        let base = try Checkpoint(opening: try far.write(to: folder("far")))
        let error = #expect(throws: AlignmentError.self) {
            try Aligner(.coupled, threads: 1).align(own, to: base, writing: folder("out"))
        }
        guard case .overflow(let tensor, .f16) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(tensor.hasSuffix("v_proj.weight") && !Files.exists(folder("out")))
        // A rotation keeps sizes.
        try Aligner(.procrustes, threads: 1).align(own, to: base, writing: folder("out"))
    }
}
