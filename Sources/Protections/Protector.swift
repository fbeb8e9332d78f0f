import Architectures
import Checkpoints
import Foundation
import Rewriting

/// Protects a checkpoint and restores it: the same act with an element and with its inverse.
public struct Protector: Sendable {
    private let system: any SystemCalls
    private let notice: (@Sendable (FileSystemNotice) -> Void)?
    private let solving: (@Sendable (_ done: Int, _ all: Int) -> Void)?
    private let progress: (@Sendable (_ bytesDone: Int, _ bytesInAll: Int) -> Void)?

    /// - Parameters:
    ///   - notice: told once of each promise that the file system makes weaker.
    ///   - progress: told of bytes that are written.
    ///   - solving: told now and then, from any thread, how much of what is solved for is; last of all that everything is.
    public init(
        system: any SystemCalls = PosixSystemCalls(), notice: (@Sendable (FileSystemNotice) -> Void)? = nil,
        progress: (@Sendable (_ bytesDone: Int, _ bytesInAll: Int) -> Void)? = nil,
        solving: (@Sendable (_ done: Int, _ all: Int) -> Void)? = nil
    ) {
        self.system = system
        self.notice = notice
        self.solving = solving
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
        /// What is to be known of how weights were changed.
        public var notes: [String] = []
    }

    /// Writes the protected model to a new directory.
    ///
    /// Exact elements with powers of two are tried first; where a weight lies so near the smallest or largest number of its type
    /// that a power of two would cost bits, the model is written with signs and permutations alone.
    ///
    /// - Parameter changed: given the model with its weights changed, where a method does that, before any lock and before anything
    ///   is written, and again where that was without powers of two in the end; what it throws ends it all.
    public func protect(
        _ source: Checkpoint, to path: String, key: SecretKey, options: ProtectionOptions,
        changed: (Checkpoint) throws -> Void = { _ in }
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
                source, architecture, to: path, key: key, options: options, plan: plan, scalesWereDropped: false,
                changed: changed)
        } catch RewritingError.inexactScaling where options.namesNoCondition {
            let unscaled = try plan.withoutScales(architecture, source)
            return try protect(
                source, architecture, to: path, key: key, options: options, plan: unscaled, scalesWereDropped: true,
                changed: changed)
        }
    }

    /// The weights that the steps' changes leave, before any lock: made when they are read, and nothing is written.
    public static func changing(_ source: Checkpoint, _ options: ProtectionOptions) throws -> Checkpoint {
        let architecture = try Architecture.resolve(source)
        let plan = try ProtectionPlan(options, architecture: architecture, checkpoint: source)
        let derivation = Derivation(
            key: SecretKey(bytes: [UInt8](repeating: 0, count: 32)), nonce: options.nonce ?? .zero, steps: plan.steps)
        let weights = try ChangedWeights(
            plan.steps, of: source, architecture, options: options, by: derivation, scratch: NSTemporaryDirectory())
        return weights?.checkpoint ?? source
    }

    private func protect(
        _ source: Checkpoint, _ architecture: Architecture, to path: String, key: SecretKey, options: ProtectionOptions,
        plan: ProtectionPlan, scalesWereDropped: Bool, changed: (Checkpoint) throws -> Void
    ) throws -> Report {
        let folder = try CheckpointWriter.parent(
            ofOutput: path, reading: [source] + [options.base].compactMap(\.self), system: system)
        let nonce = options.nonce ?? ProtectionNonce()
        let derivation = Derivation(key: key, nonce: nonce, steps: plan.steps)
        let authenticator = Authenticator(derivation)
        let weights = try ChangedWeights(
            plan.steps, of: source, architecture, options: options, by: derivation, scratch: folder)
        let source = weights?.checkpoint ?? source
        if weights != nil { try changed(source) }
        let plan = source.restatement == nil ? plan : try plan.restated(in: source)
        let (steps, script) = (plan.steps, plan.script)
        let untied = script.untied.map { UntiedHead($0, in: source) }
        let prediction = try PredictedRounding(
            script.sites, in: source, steps: steps, threads: options.threads)
        let changedBy = (options.adapter == nil ? [] : ["adapter"]) + steps.changing.map(\.method.name)
        let text = CardText(
            steps: steps, roundingMultiple: prediction.multiple, untied: untied?.head, changedBy: changedBy)
        let card = options.writesCard ? try ModelCard.write(text.markdown, for: source, authenticator) : nil
        func layout(_ made: [OutputPlan.Generated]) -> OutputPlan {
            let made = made + [untied?.config, card?.file].compactMap(\.self)
            return options.maximumShardSize.map {
                OutputPlan.resharded(source, maximumShardSize: $0, adding: made, tensors: script.added)
            } ?? OutputPlan.keepingShards(of: source, adding: made, tensors: script.added)
        }
        let gains = try FoldedGains(script.sites, in: source)
        let solved = try SolvedElements.sealed(
            steps, script.sites, of: source, base: options.base, by: derivation, threads: options.threads,
            progress: solving)
        let isRewritten: @Sendable (TensorRecord) -> Bool = { script.acts(on: $0.name) }
        let manifest = Manifest(
            nonce: nonce, steps: steps, family: architecture.family, siteCount: script.sites.count,
            keyIdentifier: derivation.keyIdentifier, roundingMultiple: prediction.multiple,
            balance: try BalanceTable.seal(prediction.exponents, of: script.sites, by: derivation),
            gains: try gains.sealed(script.sites, by: derivation),
            solved: solved, changed: weights?.names ?? [], changedBy: changedBy, untied: untied, card: card?.card,
            leftOut: source.leftOut,
            inventory: Inventory(layout([]), of: source.tensors.values + script.added, source, isRewritten: isRewritten)
        )
        @Sendable func sealed(_ found: Inventory) -> Manifest {
            var sealed = manifest
            sealed.inventory?.tensors = found.tensors
            sealed.inventory?.files = found.files
            for file in source.restatement?.files ?? [] where file.name != untied?.config.name {
                sealed.inventory?.files[file.name] = file.bytes.withUnsafeBytes {
                    authenticator.tag(file: file.name, $0)
                }
            }
            return sealed
        }
        @Sendable func file(_ manifest: Manifest) -> OutputPlan.Generated {
            OutputPlan.Generated(name: Manifest.fileName, bytes: manifest.bytes(sealedBy: authenticator))
        }
        let observer = TaggingObserver(
            source: source, added: script.added, collector: TagCollector(authenticator, isInverse: false),
            refusesNonFinite: !options.allowsNonFinite, finishing: { [file(sealed($0))] }, isRewritten: isRewritten)
        let rewriter = try Rewriter(
            script, of: source,
            by: try KeyedElements(manifest, script.sites, derivation, path: source.path),
            gains: gains, isInverse: false, allowsNonFinite: options.allowsNonFinite)
        try write(
            layout([file(manifest)]).making { rewriter.producer(of: $0) ?? weights?.producer(of: $0) }, to: path,
            threads: options.threads, observer: observer)
        var report = report(
            sealed(observer.inventory), script, source, scalesWereDropped: scalesWereDropped, proof: nil)
        report.notes = weights?.notes ?? []
        return report
    }

    func report(
        _ manifest: Manifest, _ script: EditScript, _ source: Checkpoint, scalesWereDropped: Bool,
        proof: RestorationProof?
    ) -> Report {
        Report(
            manifest: manifest, sites: script.sites.count, rewrittenTensors: script.editedTensors.count,
            rewrittenBytes: script.editedTensors.reduce(0) { $0 + $1.byteCount },
            tensorBytes: source.tensorBytes, scalesWereDropped: scalesWereDropped, proof: proof)
    }

    func write(_ output: OutputPlan, to path: String, threads: Int?, observer: TaggingObserver?) throws {
        let total = output.tensorFileBytes
        let report = progress.map { progress in { @Sendable (done: Int) in progress(done, total) } }
        try CheckpointWriter(system: system, threads: threads, notice: notice, progress: report).write(
            output, to: path, observer: observer)
    }
}
