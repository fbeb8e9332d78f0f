import Architectures
import Checkpoints
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing

/// Methods that change weights before any lock: what they change, to the bit, and what restoring then gives.
@Suite struct ChangedWeightsTests {
    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    /// A fixture in some type, and a base that it could come from.
    private func models(_ name: String, _ type: ElementType = .f32) throws -> (own: Checkpoint, base: Checkpoint) {
        try EditableModel.withBase(name, type, in: folder)
    }

    private func options(_ methods: ProtectionMethod..., base: Checkpoint?) -> ProtectionOptions {
        let steps = methods.map(StepOptions.init(method:))
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        (options.nonce, options.base) = (.zero, base)
        return options
    }

    @discardableResult
    private func protect(_ model: Checkpoint, to name: String, _ options: ProtectionOptions) throws -> EditableModel {
        Files.remove(folder(name))
        _ = try Protector.unsynchronized.protect(model, to: folder(name), key: key, options: options)
        return try EditableModel(reading: folder(name))
    }

    private func restore(_ name: String) throws -> (report: Protector.Report, model: EditableModel) {
        Files.remove(folder("r"))
        let report = try Protector.unsynchronized.restore(Checkpoint(opening: folder(name)), to: folder("r"), key: key)
        return (report, try EditableModel(reading: folder("r")))
    }

    /// Matrices of attention and MLP layers.
    private func matrices(_ model: Checkpoint, layers: Set<Int>? = nil) throws -> Set<String> {
        Set(
            try Architecture.resolve(model).allSites
                .filter { [.queryKey, .valueOutput, .mlp].contains($0.kind) && $0.isInside(layers) }
                .flatMap { $0.slices.map(\.tensor) }.filter { model.tensors[$0]?.shape.count ?? 0 > 1 })
    }

    @Test(arguments: ["llama", "bert", "gpt2", "mixtral"], [ElementType.f32, .bf16, .f16, .f64])
    func theLargestEntriesAreMasked(name: String, type: ElementType) throws {
        for beta in [0.5, 1] { try theLargestAreMasked(name, type, beta: beta) }
    }

    private func theLargestAreMasked(_ name: String, _ type: ElementType, beta: Double) throws {
        let (own, base) = try models(name, type)
        var options = options(.mergeguard, base: base)
        options.parameters = [.masked: 0.2, .beta: beta]
        options.layers = [1]
        let masked = try protect(own, to: "p", options)
        let (before, other) = (try EditableModel(reading: own.path), try EditableModel(reading: base.path))
        let names = try matrices(own, layers: [1])
        #expect(try Set(Manifest.read(from: Checkpoint(opening: folder("p"))).changed) == names)
        for tensor in before.tensors {
            guard names.contains(tensor.name) else {
                #expect(tensor.bytes == masked.tensors[try masked.index(tensor.name)].bytes)
                continue
            }
            let (a, b) = (try before.floats(tensor.name), try other.floats(tensor.name))
            let importance = zip(a, b).map { Float(($0 - $1).magnitude) }
            let chosen = importance.indices.sorted { (importance[$1], $0) < (importance[$0], $1) }
                .prefix(Int((0.2 * Double(a.count)).rounded()))
            var expected = before
            try expected.editFloats(tensor.name) { values in
                for i in chosen { values[i] = beta == 1 ? b[i] : values[i] - beta * (a[i] - b[i]) }
            }
            #expect(try expected.floats(tensor.name) == masked.floats(tensor.name), "\(tensor.name)")
        }
    }

    @Test(arguments: [ElementType.f32, .bf16])
    func entriesAreDroppedAndTheOthersScaled(type: ElementType) throws {
        let (own, base) = try models("llama", type)
        var options = options(.params, base: base)
        options.parameters = [.prune: 0.3]
        options.siteKinds = [.mlp]
        try protect(own, to: "p", options)
        let (report, back) = try restore("p")
        #expect(report.proof?.isBitForBit == true && report.manifest.changed.count == 6)
        let (before, other) = (try EditableModel(reading: own.path), try EditableModel(reading: base.path))
        var (dropped, all) = (0, 0)
        for name in report.manifest.changed {
            var scaled = before
            let (a, b) = (try before.floats(name), try other.floats(name))
            try scaled.editFloats(name) { values in
                for i in values.indices { values[i] = b[i] + (a[i] - b[i]) / 0.7 }
            }
            for (found, (before, kept)) in zip(try back.floats(name), zip(b, try scaled.floats(name))) {
                #expect(found == before || found == kept)
                (dropped, all) = (dropped + (found == before && before != kept ? 1 : 0), all + (before != kept ? 1 : 0))
            }
        }
        // Five standard deviations.
        #expect((Double(dropped) - 0.3 * Double(all)).magnitude < 5 * (0.21 * Double(all)).squareRoot())
        options.nonce = ProtectionNonce()
        try protect(own, to: "p", options)
        #expect(try restore("p").model.tensors.map(\.bytes) != back.tensors.map(\.bytes))
    }

    /// Each change sees what those before it leave, rounded as it is stored.
    @Test func changesFollowOneAnother() throws {
        let (own, base) = try models("llama", .bf16)
        var twice = ProtectionOptions(halved, then: [halved])
        (twice.nonce, twice.base) = (.zero, base)
        let chained = try protect(own, to: "p", twice)
        var once = ProtectionOptions(halved)
        (once.nonce, once.base, once.writesCard) = (.zero, base, false)
        try protect(own, to: "g", once).write(to: folder("half"))
        let again = try protect(try Checkpoint(opening: folder("half")), to: "h", once)
        #expect(chained.tensors.map(\.bytes) == again.tensors.map(\.bytes))
    }

    private var halved: StepOptions {
        var step = StepOptions(method: .mergeguard)
        step.parameters = [.masked: 0.3, .beta: 0.37]
        return step
    }

    /// Restoring a chain gives what its changes alone give.
    @Test(arguments: ["llama_sharded", "bert", "gpt2", "qwen3_moe", "llama_bf16"])
    func locksActOnWhatWasChanged(name: String) throws {
        let own = try Checkpoint(opening: Fixtures.path(name))
        try EditableModel.base(of: own.path).write(to: folder("base"))
        let base = try Checkpoint(opening: folder("base"))
        let alone = try protect(own, to: "g", options(.mergeguard, base: base))
        var chain = options(.mergeguard, .lossless, base: base)
        chain.siteKinds = nil
        let once = try protect(own, to: "p", chain)
        let (report, back) = try restore("p")
        #expect(report.proof?.isBitForBit == true && !report.manifest.changed.isEmpty)
        for tensor in alone.tensors { #expect(tensor.bytes == back.tensors[try back.index(tensor.name)].bytes) }
        chain.threads = 1
        #expect(try protect(own, to: "p", chain).tensors.map(\.bytes) == once.tensors.map(\.bytes))
        try protect(own, to: "p", options(.mergeguard, .mergelock, base: base))
        #expect(try restore("p").report.proof?.holds == true)
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let (own, base) = try models("llama")
        func refused(_ error: ProtectionError, _ options: ProtectionOptions) {
            #expect(throws: error) { try protect(own, to: "p", options) }
            #expect(!Files.names(in: folder.path).contains("p"))
        }
        refused(.needsBase(method: "mergeguard"), options(.mergeguard, base: nil))
        refused(.baseIsModel(path: own.path), options(.mergeguard, base: own))
        refused(.changesTooLate(method: "mergeguard"), options(.lossless, .mergeguard, base: base))
        refused(.needsInputs(method: "decoy"), options(.decoy, base: base))
        var pruned = options(.params, base: nil)
        pruned.parameters = [.prune: 0.1]
        refused(.needsBase(method: "params"), pruned)
        pruned.base = base
        pruned.parameters = [.prune: 1]
        refused(.parameterOutOfRange(.prune, 1), pruned)
        var drawn = options(.mergeguard, base: base)
        drawn.sampler = .gaussian
        refused(.samplerNotApplicable(method: "mergeguard", sampler: "gaussian", known: []), drawn)
        try protect(own, to: "g", options(.mergeguard, base: base))
        #expect(throws: ProtectionError.nothingToUndo(path: folder("g"), methods: "mergeguard")) { try restore("g") }
    }
}
