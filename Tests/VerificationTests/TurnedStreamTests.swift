import Architectures
import Checkpoints
import Foundations
import Protections
import Rewriting
import Symmetries
import TestSupport
import Testing
import Verification

/// Locks that turn residual streams: proved, restored, and what is wrong with them seen.
@Suite struct TurnedStreamTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func protect(_ name: String, _ transform: ResidualTransform) throws -> (Checkpoint, Checkpoint) {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(repeatable: .full)
        options.residual = transform
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        return (source, try Checkpoint(opening: folder("p")))
    }

    private static let limits: [String: String?] = {
        var limits: [String: String?] = [:]
        for name in Fixtures.recorded {
            guard let source = try? Checkpoint(opening: Fixtures.path(name)),
                let streams = try? Architecture.resolve(source).residualStreams
            else { continue }
            limits[name] = .some(streams.compactMap(\.turnLimit).first)
        }
        return limits
    }()

    private static let legal = Fixtures.recorded.filter { limits[$0] == .some(nil) }

    /// As many of the recorded models as norms allow.
    @Test func manyCanBeTurned() {
        #expect(Self.legal.count >= 94, "\(Self.legal.count)")
        for name in [
            "llama", "llama_tied", "mixtral", "gemma", "t5_gated", "olmo", "cohere", "deepseek_v3", "gpt_oss", "gpt2",
            "opt", "phi", "gpt_neo", "gpt_neox", "gptj", "gpt_bigcode", "starcoder2", "stablelm", "falcon_new",
            "falcon_old", "falcon_alibi", "nemotron", "persimmon", "megatron_bert_classifier", "vit", "deit",
            "vit_msn_classifier", "dinov2_classifier",
        ] {
            #expect(Self.legal.contains(name), "\(name)")
        }
    }

    /// Both proofs hold, everything has moved, and the original comes back to rounding with the norms and config.json as they were.
    @Test(
        arguments: legal.map { ($0, ResidualTransform.hadamard) }
            + legal.indices.filter { $0 % 3 == 0 }.map { (legal[$0], .rotation) })
    func soundLocksPass(name: String, transform: ResidualTransform) throws {
        let (source, locked) = try protect(name, transform)
        let pair = try ModelPair(source, locked, threads: 1)
        let report = try AlgebraicVerification(threads: 1).verify(pair)
        #expect(report.holds, "\(report.failures.prefix(2)) \(report.problems)")
        #expect(report.sites.contains { $0.kind == .residual && $0.isMoved })
        let outputs = try FunctionalVerification(threads: 1).verify(pair)
        #expect(outputs.holds, "\(String(describing: outputs.comparison.firstFault))")
        let restored = try Protector.unsynchronized.restore(locked, to: folder("r"), key: key)
        #expect(restored.proof?.holds == true)
        let back = try Checkpoint(opening: folder("r"))
        #expect(back.config?.bytes == source.config?.bytes)
        let (before, after) = (try EditableModel(reading: source.path), try EditableModel(reading: folder("r")))
        #expect(before.tensors.map(\.name) == after.tensors.map(\.name))
        let folded = Set(
            try Architecture.resolve(source).residualStreams.compactMap { $0.site(transform) }
                .flatMap(\.folded).map(\.tensor))
        for tensor in before.tensors where tensor.type.isComputable {
            if folded.contains(tensor.name) {
                #expect(try tensor.bytes == after.tensors[after.index(tensor.name)].bytes, "\(tensor.name)")
                continue
            }
            let (a, b) = (try before.floats(tensor.name), try after.floats(tensor.name))
            let size = a.reduce(0) { $0 + $1 * $1 }
            let error = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            #expect(error.squareRoot() <= 40 * (tensor.type.unitRoundoff ?? 0) * size.squareRoot(), "\(tensor.name)")
        }
    }

    /// Where a stream may not be turned, it is said why before anything is written.
    @Test(arguments: ["bert", "gemma2", "roberta_prelayernorm", "bloom", "whisper", "clip", "t5", "gemma3"])
    func reasonsNotToTurn(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let streams = try Architecture.resolve(source).residualStreams
        let reason = try #require(streams.compactMap(\.turnLimit).first)
        var options = ProtectionOptions(method: .full)
        options.residual = .hadamard
        #expect(throws: ProtectionError.noTurning(path: source.path, transform: "hadamard", reason: reason)) {
            try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        }
        #expect(Files.names(in: folder.path).isEmpty)
    }

    /// A tensor that was not turned, not turned alike, or not multiplied by its gain; experts whose router stayed; a gain that stayed; a
    /// head that stayed tied: the weights' proof sees each, and the outputs' proof all but what few inputs reach.
    @Test(arguments: [
        "llama", "llama_tied", "mixtral", "gpt_oss", "olmo", "t5_gated", "deepseek_v3", "gpt_neox", "opt_classifier",
        "dinov2_classifier",
    ])
    func plantedFaults(name: String) throws {
        let (source, _) = try protect(name, .hadamard)
        let (original, locked) = (try EditableModel(reading: source.path), try EditableModel(reading: folder("p")))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        func isSeen(_ model: EditableModel, _ what: String) throws {
            Files.remove(folder("c"))
            try model.write(to: folder("c"))
            try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
            let report = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("c")))
            #expect(!report.holds, "\(what)")
        }
        for place in locked.tensors.indices where locked.tensors[place].type.isComputable {
            let tensor = locked.tensors[place]
            var model = locked
            if let before = original.tensors.first(where: { $0.name == tensor.name }), before.bytes != tensor.bytes {
                model.tensors[place].bytes = before.bytes
                try isSeen(model, "\(tensor.name) as it was")
                model = locked
            }
            guard tensor.shape.count > 1 else { continue }
            try model.edit(tensor.name) { values in
                let columns = tensor.shape[tensor.shape.count - 1]
                for column in 0..<columns { values[column] = -values[column] }
            }
            try isSeen(model, "\(tensor.name), its first row with the other sign")
            model = locked
            try model.edit(tensor.name) { values in
                let columns = tensor.shape[tensor.shape.count - 1]
                for row in 0..<values.count / columns { values[row * columns] *= 1.01 }
            }
            try isSeen(model, "\(tensor.name), its first column a hundredth larger")
        }
    }

    /// Of a tied head that was stored apart, config.json must say so.
    @Test func tiesMustBeCut() throws {
        let (source, locked) = try protect("llama_tied", .hadamard)
        #expect(locked.config?.root["tie_word_embeddings"]?.bool == false)
        #expect(locked.tensors["lm_head.weight"] != nil)
        try Files.write(
            String(decoding: source.config?.bytes ?? [], as: UTF8.self), to: folder("p") + "/config.json")
        let changed = try Checkpoint(opening: folder("p"))
        let report = try AlgebraicVerification(threads: 1).verify(source, changed)
        #expect(report.problems.contains { $0.contains("tie_word_embeddings is not false") })
        #expect(throws: ProtectionError.changed(path: changed.path, [.file("config.json")])) {
            try Protector.unsynchronized.restore(changed, to: folder("r"), key: key)
        }
        // A change that is accepted proves nothing, however small.
        try Files.write(
            String(decoding: locked.config?.bytes ?? [], as: UTF8.self) + "\n", to: folder("p") + "/config.json")
        let accepted = try Protector.unsynchronized.restore(
            Checkpoint(opening: folder("p")), to: folder("r"), key: key, acceptsChanges: true)
        #expect(accepted.proof?.holds == false)
    }

    /// The head that restoring leaves out is looked at, too.
    @Test func aChangedHeadIsSeen() throws {
        _ = try protect("llama_tied", .hadamard)
        var model = try EditableModel(reading: folder("p"))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        try model.edit("lm_head.weight") { $0[3] += 1 }
        try model.write(to: folder("c"))
        try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
        #expect {
            try Protector.unsynchronized.restore(Checkpoint(opening: folder("c")), to: folder("r"), key: key)
        } throws: {
            guard case .changed(_, let changes)? = $0 as? ProtectionError else { return false }
            return changes.contains(.tensor("lm_head.weight"))
        }
    }

    /// Numbers that are none, in either model and in any tensor, end in a verdict.
    @Test(arguments: ["llama_tied", "mixtral", "dinov2_classifier"], [Float.nan, .infinity])
    func whatIsNoNumber(name: String, value: Float) throws {
        let (source, _) = try protect(name, .hadamard)
        let locked = try EditableModel(reading: folder("p"))
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        for tensor in locked.tensors where tensor.type.isComputable {
            var model = locked
            try model.edit(tensor.name) { $0[$0.count - 1] = value }
            Files.remove(folder("c"))
            try model.write(to: folder("c"))
            try Files.write(manifest, to: folder("c") + "/" + Manifest.fileName)
            let report = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("c")))
            #expect(!report.holds, "\(tensor.name)")
        }
    }

    /// A head that is stored apart finds its place among shards and in their index, and is gone when the original is restored.
    @Test func untiedHeadsAmongShards() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama_tied"))
        var options = ProtectionOptions(repeatable: .full)
        options.residual = .hadamard
        options.maximumShardSize = 10_000
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        let locked = try Checkpoint(opening: folder("p"))
        #expect(locked.shards.count > 2)
        #expect(locked.index?.root["weight_map"]?["lm_head.weight"] != nil)
        #expect(locked.index?.root["metadata"]?["total_size"]?.int == locked.tensorBytes)
        #expect(try AlgebraicVerification(threads: 1).verify(source, locked).holds)
        // What is in shards already stays there, and the head goes beside its table.
        options.maximumShardSize = nil
        var sharded = ProtectionOptions(repeatable: .lossless)
        sharded.maximumShardSize = 10_000
        _ = try Protector.unsynchronized.protect(source, to: folder("l"), key: key, options: sharded)
        _ = try Protector.unsynchronized.restore(Checkpoint(opening: folder("l")), to: folder("s"), key: key)
        let pieces = try Checkpoint(opening: folder("s"))
        _ = try Protector.unsynchronized.protect(pieces, to: folder("q"), key: key, options: options)
        let again = try Checkpoint(opening: folder("q"))
        #expect(again.shards.map(\.fileName) == pieces.shards.map(\.fileName))
        #expect(try AlgebraicVerification(threads: 1).verify(pieces, again).holds)
        _ = try Protector.unsynchronized.restore(again, to: folder("r"), key: key)
        let back = try Checkpoint(opening: folder("r"))
        #expect(Array(back.tensors.keys) == Array(pieces.tensors.keys))
        #expect(back.index?.root == pieces.index?.root)
    }

    /// A manifest that tells of a turned stream where none was turned is wrong, also where all gains are 1.
    @Test func aStreamThatStayed() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        for place in model.tensors.indices where model.tensors[place].name.contains("norm") {
            try model.edit(model.tensors[place].name) { values in for i in values.indices { values[i] = 1 } }
        }
        try model.write(to: folder("m"))
        let source = try Checkpoint(opening: folder("m"))
        var options = ProtectionOptions(repeatable: .full)
        options.residual = .rotation
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        #expect(try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("p"))).holds)
        let manifest = try Files.read(folder("p") + "/" + Manifest.fileName)
        options.residual = .none
        _ = try Protector.unsynchronized.protect(source, to: folder("q"), key: key, options: options)
        Files.remove(folder("q") + "/" + Manifest.fileName)
        try Files.write(manifest, to: folder("q") + "/" + Manifest.fileName)
        let report = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("q")))
        #expect(report.failures.isEmpty)
        #expect(report.problems.contains { $0.contains("residual.rotation has not moved") }, "\(report.problems)")
    }

    /// Two proofs that hold for one draw hold for others, in every type of weights.
    @Test(arguments: ["llama", "llama_bf16", "llama_f16", "llama_tied", "qwen2"], 0..<4)
    func otherDrawsPass(name: String, draw: Int) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(method: .full)
        options.residual = draw % 2 == 0 ? .hadamard : .rotation
        _ = try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
        let pair = try ModelPair(source, Checkpoint(opening: folder("p")), threads: 1)
        let report = try AlgebraicVerification(threads: 1).verify(pair)
        #expect(report.holds, "\(report.failures.prefix(2)) \(report.problems)")
        #expect(try FunctionalVerification(threads: 1).verify(pair).holds)
    }

    /// What can't be undone is not begun, and what keeps every bit does not turn.
    @Test func refusals() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        func refuses(
            _ error: some Error & Equatable, _ source: Checkpoint, _ change: (inout ProtectionOptions) -> Void
        ) {
            var options = ProtectionOptions(method: .full)
            options.residual = .hadamard
            change(&options)
            #expect(throws: error) {
                try Protector.unsynchronized.protect(source, to: folder("p"), key: key, options: options)
            }
        }
        refuses(ProtectionError.turningRounds(method: "lossless"), source) { $0.method = .lossless }
        refuses(
            ProtectionError.noTurning(
                path: source.path, transform: "hadamard", reason: "the sites hold no residual stream"), source
        ) { $0.siteKinds = [.mlp] }
        refuses(
            ProtectionError.noTurning(
                path: source.path, transform: "hadamard",
                reason: "all layers share the residual stream, and only some are to be acted on"), source
        ) { $0.layers = [0] }
        var model = try EditableModel(reading: source.path)
        let gain = "model.layers.1.input_layernorm.weight"
        try model.edit(gain) { $0[5] = 0 }
        try model.write(to: folder("m"))
        refuses(RewritingError.vanishingGain(tensor: gain, channel: 5), try Checkpoint(opening: folder("m"))) { _ in }
    }

    /// Programs that know of no turned streams must not take such a model for one of theirs: the format says so, and nothing else may.
    @Test func theFormatSaysIt() throws {
        _ = try protect("llama", .hadamard)
        let path = folder("p") + "/" + Manifest.fileName
        let text = String(decoding: try Files.read(path), as: UTF8.self)
        #expect(text.contains("\"mergeproof-protection/4\""))
        try Files.write(text.replacing("protection/4", with: "protection/3"), to: path)
        let changed = try Checkpoint(opening: folder("p"))
        #expect(throws: ProtectionError.manifest(path: changed.path, field: "residual")) {
            try Protector.unsynchronized.restore(changed, to: folder("r"), key: key)
        }
        Files.remove(folder("p"))
        _ = try protect("llama", .permutation)
        #expect(String(decoding: try Files.read(path), as: UTF8.self).contains("\"mergeproof-protection/3\""))
    }

    /// Gains are kept under the key: a manifest with others' is none of this model's.
    @Test func gainsOfAnotherModel() throws {
        _ = try protect("llama", .rotation)
        let own = String(decoding: try Files.read(folder("p") + "/" + Manifest.fileName), as: UTF8.self)
        #expect(own.contains("\"gains\""))
        let changed = own.replacing("\"gains\": \"A", with: "\"gains\": \"B").replacing(
            "\"gains\": \"", with: "\"gains\": \"A")
        try Files.write(changed, to: folder("p") + "/" + Manifest.fileName)
        #expect(throws: ProtectionError.self) {
            try Protector.unsynchronized.restore(Checkpoint(opening: folder("p")), to: folder("r"), key: key)
        }
        #expect(!Files.names(in: folder.path).contains("r"))
    }
}
