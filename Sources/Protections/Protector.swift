import Architectures
import Checkpoints
import LinearAlgebra
import Symmetries

/// Protects a checkpoint and restores it: the same act with an element and with its inverse.
public struct Protector: Sendable {
    private let system: any SystemCalls
    private let notice: (@Sendable (FileSystemNotice) -> Void)?
    private let progress: (@Sendable (_ bytesDone: Int, _ bytesInAll: Int) -> Void)?

    public init(
        system: any SystemCalls = PosixSystemCalls(), notice: (@Sendable (FileSystemNotice) -> Void)? = nil,
        progress: (@Sendable (_ bytesDone: Int, _ bytesInAll: Int) -> Void)? = nil
    ) {
        self.system = system
        self.notice = notice
        self.progress = progress
    }

    /// What was done.
    public struct Report: Sendable {
        public let manifest: Manifest
        public let sites: Int
        public let rewrittenTensors: Int
        public let rewrittenBytes: Int
        public let tensorBytes: Int
        /// Powers of two were left out because they would have lost bits in some weight.
        public let scalesWereDropped: Bool
        /// What restoring checked; nil for a protection, and for a model that was protected before there was anything to check.
        public let proof: RestorationProof?
    }

    /// Writes the protected model to a new directory.
    ///
    /// Exact elements with powers of two are tried first; where a weight lies so near the smallest or largest number of its type
    /// that a power of two would cost bits, the model is written with signs and permutations alone.
    public func protect(
        _ source: Checkpoint, to path: String, key: SecretKey, options: ProtectionOptions
    ) throws -> Report {
        try source.checkFitForCopy(resharded: options.maximumShardSize != nil)
        let architecture = try Architecture.resolve(source)
        guard try source.document(named: Manifest.fileName) == nil else {
            throw ProtectionError.alreadyProtected(path: source.path)
        }
        let plan = try ProtectionPlan(options, architecture: architecture, checkpoint: source)
        var options = options
        options.nonce = options.nonce ?? ProtectionNonce()
        do {
            return try protect(
                source, architecture, to: path, key: key, options: options, plan: plan, scalesWereDropped: false)
        } catch ProtectionError.inexactScaling where options.condition == nil {
            let unscaled = try plan.withoutScales(architecture, source)
            return try protect(
                source, architecture, to: path, key: key, options: options, plan: unscaled, scalesWereDropped: true)
        }
    }

    private func protect(
        _ source: Checkpoint, _ architecture: Architecture, to path: String, key: SecretKey, options: ProtectionOptions,
        plan: ProtectionPlan, scalesWereDropped: Bool
    ) throws -> Report {
        let nonce = options.nonce ?? ProtectionNonce()
        let derivation = Derivation(
            key: key, nonce: nonce, method: plan.method, sampler: plan.sampler, condition: plan.condition)
        let authenticator = Authenticator(derivation)
        let untied = plan.untied.map { UntiedHead($0.site, in: source) }
        func layout(_ made: [OutputPlan.Generated]) -> OutputPlan {
            let made = made + [untied?.config].compactMap(\.self)
            return options.maximumShardSize.map {
                OutputPlan.resharded(source, maximumShardSize: $0, adding: made, tensors: plan.added)
            } ?? OutputPlan.keepingShards(of: source, adding: made, tensors: plan.added)
        }
        let prediction = try PredictedRounding(
            plan.sites, in: source, sampler: plan.sampler, condition: plan.condition, threads: options.threads)
        let gains = try FoldedGains(plan.sites, in: source)
        let isRewritten: @Sendable (TensorRecord) -> Bool = { plan.edits[$0.name] != nil }
        let manifest = Manifest(
            nonce: nonce, method: plan.method, sampler: plan.sampler, condition: plan.condition,
            siteKinds: plan.siteKinds, residual: plan.residual, layers: plan.layers, family: architecture.family,
            siteCount: plan.sites.count, keyIdentifier: derivation.keyIdentifier,
            roundingMultiple: prediction.multiple,
            balance: try BalanceTable.seal(prediction.exponents, of: plan.sites, by: derivation),
            gains: try gains.sealed(plan.sites, by: derivation),
            untied: untied, leftOut: source.leftOut,
            inventory: Inventory(layout([]), of: source.tensors.values + plan.added, source, isRewritten: isRewritten))
        @Sendable func sealed(_ found: Inventory) -> Manifest {
            var sealed = manifest
            sealed.inventory?.tensors = found.tensors
            sealed.inventory?.files = found.files
            return sealed
        }
        @Sendable func file(_ manifest: Manifest) -> OutputPlan.Generated {
            OutputPlan.Generated(name: Manifest.fileName, bytes: manifest.bytes(sealedBy: authenticator))
        }
        let observer = TaggingObserver(
            source: source, added: plan.added, collector: TagCollector(authenticator, isInverse: false),
            refusesNonFinite: !options.allowsNonFinite, finishing: { [file(sealed($0))] }, isRewritten: isRewritten)
        try write(
            layout([file(manifest)]), plan: plan, manifest, from: source, to: path, derivation: derivation,
            gains: gains, isInverse: false, threads: options.threads,
            allowsNonFinite: options.allowsNonFinite, observer: observer)
        return report(sealed(observer.inventory), plan, source, scalesWereDropped: scalesWereDropped, proof: nil)
    }

    func report(
        _ manifest: Manifest, _ plan: ProtectionPlan, _ source: Checkpoint, scalesWereDropped: Bool,
        proof: RestorationProof?
    ) -> Report {
        Report(
            manifest: manifest, sites: plan.sites.count, rewrittenTensors: plan.edits.count,
            rewrittenBytes: plan.edits.values.reduce(0) { $0 + $1.tensor.byteCount },
            tensorBytes: source.tensorBytes, scalesWereDropped: scalesWereDropped, proof: proof)
    }

    func write(
        _ output: OutputPlan, plan: ProtectionPlan, _ manifest: Manifest, from source: Checkpoint, to path: String,
        derivation: Derivation, gains: FoldedGains, isInverse: Bool, threads: Int?, allowsNonFinite: Bool,
        observer: TaggingObserver?
    ) throws {
        // One thread per product: bits must not depend on how many tiles are computed at once.
        BLASThreads.use(1)
        let elements = ElementSource(
            derivation: derivation, sampler: plan.sampler, condition: plan.condition, isInverse: isInverse,
            avoidsIdentity: manifest.avoidsIdentity,
            exponents: try BalanceTable.open(manifest, of: plan.sites, by: derivation, path: source.path),
            gains: gains)
        let exchange = try TensorExchange(plan.sites, elements)
        let total = output.tensorFileBytes
        let report = progress.map { progress in { @Sendable (done: Int) in progress(done, total) } }
        let rewritten = output.making { tensor in
            guard let edits = plan.edits[exchange.origin(of: tensor.name)],
                let input = source.tensors[exchange.input(of: tensor.name)]
                    ?? plan.added.first(where: { $0.name == tensor.name })
            else { return nil }
            if let gain = edits.folded {
                return GainRewriter(isInverse ? gains.stored[tensor.name] ?? [] : GainRewriter.one(gain, tensor))
            }
            return Self.rewriter(
                edits, input: input, source: source, elements: elements, allowsNonFinite: allowsNonFinite)
        }
        try CheckpointWriter(system: system, threads: threads, notice: notice, progress: report).write(
            rewritten, to: path, observer: observer)
    }

    private static func rewriter(
        _ edits: TensorEdits, input: TensorRecord, source: Checkpoint, elements: ElementSource, allowsNonFinite: Bool
    ) -> any TensorProducer {
        func make<Storage: WeightStorage>(_ storage: Storage.Type) -> any TensorProducer {
            WeightRewriter<Storage>(
                edits: edits, input: input, source: source, elements: elements, allowsNonFinite: allowsNonFinite)
        }
        return switch edits.tensor.type {
        case .bf16: make(BF16Storage.self)
        case .f16: make(F16Storage.self)
        case .f32: make(F32Storage.self)
        default: make(F64Storage.self)
        }
    }
}
