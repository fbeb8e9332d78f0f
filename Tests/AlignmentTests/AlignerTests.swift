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
    private static let key = SecretKey(bytes: [UInt8](repeating: 7, count: 32))
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// ‖W' - W‖ / ‖W‖ over all floating weights.
    private func distance(_ checkpoint: Checkpoint, _ original: Checkpoint) throws -> Double {
        var (difference, size) = (0.0, 0.0)
        for tensor in original.tensors.values where tensor.type.isComputable {
            let other = try #require(checkpoint.tensors[tensor.name])
            let (a, b) = (checkpoint.content(of: other), original.content(of: tensor))
            let (x, y) = (other.type.doubles(in: a.bytes), tensor.type.doubles(in: b.bytes))
            for (x, y) in zip(x, y) {
                difference += (x - y) * (x - y)
                size += y * y
            }
            withExtendedLifetime((a, b)) {}
        }
        return (difference / size).squareRoot()
    }

    private func protect(_ own: Checkpoint, _ methods: [ProtectionMethod], sampler: Sampler? = nil) throws -> Checkpoint
    {
        var steps = methods.map(StepOptions.init(method:))
        steps[0].sampler = sampler
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        (options.nonce, options.writesCard) = (.zero, false)
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(own, to: folder("p"), key: Self.key, options: options)
        return try Checkpoint(opening: folder("p"))
    }

    private func difference(_ a: Checkpoint, _ b: Checkpoint) throws -> Double {
        let inputs = ModelInputs(tokens: [[3, 14, 15, 9, 2, 6]])
        let (x, y) = (
            try Model(a).double(inputs).values.flatMap(\.elements),
            try Model(b).double(inputs).values.flatMap(\.elements)
        )
        let square = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (square / y.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    /// A fine-tuned model that was locked lies beside its base again, all places are found, and it computes what it did.
    @Test(
        arguments: [
            "llama", "qwen2", "gpt2", "bert", "mixtral", "phi3", "phi3_partial", "gemma2", "qwen3", "falcon_new",
            "gptj", "glm4",
            "deepseek_v3", "llama_biases", "olmoe", "opt", "minimax_m2",
        ], [[ProtectionMethod.full], [.params], [.lossless], [.mergelock, .params]])
    func locksComeUndone(name: String, methods: [ProtectionMethod]) throws {
        let (own, base) = try EditableModel.withBase(name, .f32, in: folder)
        let protected = try protect(own, methods)
        let (aligned, report) = try Aligner(.coupled, threads: 2).aligned(protected, to: base)
        let before = try distance(protected, own)
        #expect(before > 0.5)
        #expect(try distance(aligned, own) < 0.03)
        for (kind, score) in AlignmentScore.all(
            of: report, against: try Protector.elements(of: protected, key: Self.key))
        {
            #expect(score.permutationShare ?? 1 == 1, "\(kind)")
            #expect(score.error ?? 0 < 0.05, "\(kind)")
        }
        #expect(report.estimates.values.allSatisfy { $0.agreement > 0.97 && $0.agreement <= 1 + 1e-12 })
        #expect(try difference(aligned, protected) < 1e-4)
    }

    /// Without fine-tuning nothing stands between the base and the element: what comes out is the base, to rounding.
    @Test(arguments: ["llama", "gpt2", "mixtral", "phi3"])
    func theBaseItselfComesBack(name: String) throws {
        let own = try Checkpoint(opening: Fixtures.path(name))
        let protected = try protect(own, [.mergelock])
        for method in [AlignmentMethod.coupled, .reverse, .reverseOutput, .aga] {
            let (aligned, report) = try Aligner(method).aligned(protected, to: own)
            #expect(try distance(aligned, own) < 1e-5, "\(method.name)")
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
        _ = try Protector.unsynchronized.protect(own, to: folder("p"), key: Self.key, options: options)
        let protected = try Checkpoint(opening: folder("p"))
        func error(_ method: AlignmentMethod) throws -> Double {
            let report = try Aligner(method).aligned(protected, to: base).1
            let acted = try Protector.elements(of: protected, key: Self.key)
            return try #require(AlignmentScore.all(of: report, against: acted)[.valueOutput]?.error)
        }
        #expect(try error(.coupled) > 2 * error(.reverseOutput))
    }

    /// Orthogonal elements are found by an orthogonal fit, others by halves.
    @Test func procrustesFindsWhatIsOrthogonal() throws {
        let (own, base) = try EditableModel.withBase("gpt2", .f32, in: folder)
        let orthogonal = try protect(own, [.mergelock], sampler: .orthogonal)
        #expect(try distance(Aligner(.procrustes).aligned(orthogonal, to: base).0, own) < 0.03)
        let dense = try protect(own, [.mergelock])
        let found = try distance(Aligner(.procrustes).aligned(dense, to: base).0, own)
        #expect(found > 0.1)
        #expect(try found < distance(dense, own))
    }

    /// Fits of each projection by itself come as near, and compute something else.
    @Test func eachProjectionByItselfChangesTheFunction() throws {
        let (own, base) = try EditableModel.withBase("bert", .f32, in: folder)
        let protected = try protect(own, [.mergelock])
        let (aligned, report) = try Aligner(.aga).aligned(protected, to: base)
        #expect(try distance(aligned, own) < 0.03)
        #expect(try difference(aligned, protected) > 1e-3)
        #expect(try #require(report.agreement(.valueOutput)) > 0.99)
        #expect(report.agreement(.experts) == nil)
    }

    /// What is written is what was found, without the manifest, for any number of threads.
    @Test func theAlignedModelIsWritten() throws {
        let (own, base) = try EditableModel.withBase("qwen2", .f32, in: folder)
        let protected = try protect(own, [.full])
        try Aligner(.coupled, threads: 1).align(protected, to: base, writing: folder("one"))
        try Aligner(.coupled, threads: 3).align(protected, to: base, writing: folder("three"))
        #expect(try Files.tree(folder("one")) == Files.tree(folder("three")))
        #expect(Set(Files.names(in: folder("one"))) == Set(Files.names(in: own.path)))
        #expect(try distance(Checkpoint(opening: folder("one")), own) < 0.03)
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
}
