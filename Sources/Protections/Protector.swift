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
    }

    /// Writes the protected model to a new directory.
    ///
    /// Exact elements with powers of two are tried first; where a weight lies so near the smallest or largest number of its type
    /// that a power of two would cost bits, the model is written with signs and permutations alone.
    public func protect(
        _ source: Checkpoint, to path: String, key: SecretKey, options: ProtectionOptions
    ) throws -> Report {
        let architecture = try Architecture.resolve(source)
        guard try source.document(named: Manifest.fileName) == nil else {
            throw ProtectionError.alreadyProtected(path: source.path)
        }
        let plan = try ProtectionPlan(options, architecture: architecture, checkpoint: source)
        do {
            return try protect(source, to: path, key: key, options: options, plan: plan, scalesWereDropped: false)
        } catch ProtectionError.inexactScaling where options.condition == nil {
            let unscaled = try plan.withoutScales(architecture, source)
            return try protect(source, to: path, key: key, options: options, plan: unscaled, scalesWereDropped: true)
        }
    }

    private func protect(
        _ source: Checkpoint, to path: String, key: SecretKey, options: ProtectionOptions, plan: ProtectionPlan,
        scalesWereDropped: Bool
    ) throws -> Report {
        let manifest = Manifest(
            method: plan.method, sampler: plan.sampler, condition: plan.condition, siteKinds: plan.siteKinds,
            layers: plan.layers, family: try Architecture.resolve(source).family, siteCount: plan.sites.count,
            keyIdentifier: key.identifier, roundingMultiple: plan.roundingMultiple, leftOut: source.leftOut)
        let made = [OutputPlan.Generated(name: Manifest.fileName, bytes: manifest.bytes)]
        let output =
            options.maximumShardSize.map { OutputPlan.resharded(source, maximumShardSize: $0, adding: made) }
            ?? OutputPlan.keepingShards(of: source, adding: made)
        try write(
            output, plan: plan, manifest, from: source, to: path, key: key, isInverse: false, threads: options.threads,
            allowsNonFinite: options.allowsNonFinite)
        return report(manifest, plan, source, scalesWereDropped: scalesWereDropped)
    }

    /// Writes the original back from a protected model: bit for bit after exact elements, to rounding after others.
    public func restore(
        _ source: Checkpoint, to path: String, key: SecretKey, threads: Int? = nil
    ) throws -> Report {
        let manifest = try Manifest.read(from: source)
        guard manifest.keyIdentifier == key.identifier else {
            throw ProtectionError.wrongKey(expected: manifest.keyIdentifier, found: key.identifier)
        }
        let architecture = try Architecture.resolve(source)
        let plan = try ProtectionPlan(manifest, architecture: architecture, checkpoint: source)
        let output = OutputPlan.keepingShards(of: source, dropping: [Manifest.fileName])
        try write(
            output, plan: plan, manifest, from: source, to: path, key: key, isInverse: true, threads: threads,
            allowsNonFinite: true)
        return report(manifest, plan, source, scalesWereDropped: false)
    }

    private func report(
        _ manifest: Manifest, _ plan: ProtectionPlan, _ source: Checkpoint, scalesWereDropped: Bool
    ) -> Report {
        Report(
            manifest: manifest, sites: plan.sites.count, rewrittenTensors: plan.edits.count,
            rewrittenBytes: plan.edits.values.reduce(0) { $0 + $1.tensor.byteCount },
            tensorBytes: source.tensorBytes, scalesWereDropped: scalesWereDropped)
    }

    private func write(
        _ output: OutputPlan, plan: ProtectionPlan, _ manifest: Manifest, from source: Checkpoint, to path: String,
        key: SecretKey, isInverse: Bool, threads: Int?, allowsNonFinite: Bool
    ) throws {
        // One thread per product: bits must not depend on how many tiles are computed at once.
        BLASThreads.use(1)
        let elements = ElementSource(
            key: key, sampler: plan.sampler, condition: plan.condition, isInverse: isInverse,
            avoidsIdentity: manifest.avoidsIdentity)
        let total = output.tensorFileBytes
        let report = progress.map { progress in { @Sendable (done: Int) in progress(done, total) } }
        let refuseNonFinite: @Sendable (TensorRecord, UnsafeRawBufferPointer) throws -> Void = { tensor, bytes in
            guard NonFinite.count(in: bytes, of: tensor.type) > 0 else { return }
            throw ProtectionError.nonFinite(
                tensor: tensor.name, count: NonFinite.count(in: source.bytes(of: tensor), of: tensor.type))
        }
        try CheckpointWriter(system: system, threads: threads, notice: notice, progress: report).write(
            output, from: source, to: path, inspect: allowsNonFinite ? nil : refuseNonFinite
        ) { tensor in
            plan.edits[tensor.name].map {
                Self.rewriter($0, source: source, elements: elements, allowsNonFinite: allowsNonFinite)
            }
        }
    }

    private static func rewriter(
        _ edits: TensorEdits, source: Checkpoint, elements: ElementSource, allowsNonFinite: Bool
    ) -> any TensorRewriter {
        func make<Storage: WeightStorage>(_ storage: Storage.Type) -> any TensorRewriter {
            WeightRewriter<Storage>(
                edits: edits, source: source, elements: elements, allowsNonFinite: allowsNonFinite)
        }
        return switch edits.tensor.type {
        case .bf16: make(BF16Storage.self)
        case .f16: make(F16Storage.self)
        case .f32: make(F32Storage.self)
        default: make(F64Storage.self)
        }
    }
}
