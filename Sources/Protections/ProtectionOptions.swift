import Architectures
import Checkpoints
import Symmetries

/// What the user chose.
public struct ProtectionOptions: Sendable {
    public var method: ProtectionMethod
    /// Nil for the method's default.
    public var sampler: Sampler?
    /// Nil for the sampler's default.
    public var condition: Double?
    /// Nil for those that the method acts on when nothing is said.
    public var siteKinds: Set<Site.Kind>?
    /// What is done to residual streams where the sites hold them. `none` leaves them as they are: adapters, draft heads and steering
    /// vectors may go on reading them.
    public var residual = ResidualTransform.permutation
    /// Nil for all layers.
    public var layers: [Int]?
    /// Nil keeps the source's files.
    public var maximumShardSize: Int?
    /// Nil for all cores.
    public var threads: Int?
    public var allowsNonFinite = false
    /// Nil for a fresh one; a nonce that is said again repeats an output to the byte.
    public var nonce: ProtectionNonce?

    public init(method: ProtectionMethod) { self.method = method }
}

/// The choice made definite for one model: which sites, drawn how.
struct ProtectionPlan: Sendable {
    let method: ProtectionMethod
    let sampler: Sampler
    let condition: Double
    let siteKinds: Set<Site.Kind>
    let residual: ResidualTransform
    let layers: [Int]?
    let sites: [Site]
    let edits: [String: TensorEdits]
    /// A head that is stored apart from now on, and the bytes that it is made of.
    let untied: (site: Site.Untied, head: TensorRecord)?
    /// Tensors that the output holds besides the source's.
    var added: [TensorRecord] { [untied?.head].compactMap(\.self) }
    /// Expected cost of rounding in multiples of rounding the original, at the site where it is largest, were all channels alike.
    let roundingMultiple: Double

    /// Resolves the options against a model.
    /// - Throws: what is wrong with them, before anything is written.
    init(_ options: ProtectionOptions, architecture: Architecture, checkpoint: Checkpoint) throws {
        let protection = options.method.protection
        let sampler = options.sampler ?? protection.defaultSampler
        guard protection.samplers.contains(sampler) else {
            throw ProtectionError.samplerNotApplicable(
                method: options.method.rawValue, sampler: sampler.rawValue, known: protection.samplers.map(\.rawValue))
        }
        let condition = options.condition ?? sampler.defaultCondition
        guard condition.isFinite, condition >= 1 else { throw ProtectionError.invalidCondition(condition) }
        if let stray = options.layers?.first(where: { $0 < 0 || $0 >= architecture.layerCount }) {
            throw ProtectionError.layerOutOfRange(layer: stray, stacks: architecture.layerRanges)
        }
        var kinds = options.siteKinds ?? protection.siteKinds
        if options.residual.form != nil {
            if sampler == .exact { throw ProtectionError.turningRounds(method: options.method.rawValue) }
            if let reason = Self.reasonNotToTurn(kinds, options, architecture) {
                throw ProtectionError.noTurning(
                    path: checkpoint.path, transform: options.residual.rawValue, reason: reason)
            }
        }
        if kinds.contains(.residual), let reason = Self.reasonToKeepStreams(options, architecture) {
            // Who asks for nothing but what cannot be had is told why.
            guard options.siteKinds == nil || kinds.count > 1 else {
                throw ProtectionError.noResidualSite(path: checkpoint.path, reason: reason)
            }
            kinds.remove(.residual)
        }
        try self.init(
            method: options.method, sampler: sampler, condition: condition, siteKinds: kinds,
            residual: options.residual, layers: options.layers, architecture: architecture, checkpoint: checkpoint)
        guard !sites.isEmpty else {
            throw ProtectionError.noSites(path: checkpoint.path, method: options.method.rawValue)
        }
        if options.condition == nil { try refuseCostlyRounding() }
    }

    /// Why no residual stream may be moved, if so.
    private static func reasonToKeepStreams(
        _ options: ProtectionOptions, _ architecture: Architecture
    ) -> String? {
        if options.residual == .none { return "the residual stream is to stay as it is" }
        if options.layers != nil { return "all layers share the residual stream, and only some are to be acted on" }
        let streams = architecture.residualStreams
        return streams.allSatisfy { $0.site == nil } ? streams.compactMap(\.limit).first : nil
    }

    /// Why some residual stream may not be turned, if so.
    private static func reasonNotToTurn(
        _ kinds: Set<Site.Kind>, _ options: ProtectionOptions, _ architecture: Architecture
    ) -> String? {
        guard kinds.contains(.residual) else { return "the sites hold no residual stream" }
        if let reason = reasonToKeepStreams(options, architecture) { return reason }
        return architecture.residualStreams.compactMap(\.turnLimit).first
    }

    /// The plan that a manifest tells of.
    init(_ manifest: Manifest, architecture: Architecture, checkpoint: Checkpoint) throws {
        func agree(_ field: String, _ found: String, _ expected: String) throws {
            guard found == expected else {
                throw ProtectionError.manifestDisagrees(
                    path: checkpoint.path, field: field, expected: expected, found: found)
            }
        }
        try agree("architecture", manifest.family, architecture.family)
        try self.init(
            method: manifest.method, sampler: manifest.sampler, condition: manifest.condition,
            siteKinds: manifest.siteKinds, residual: manifest.residual, layers: manifest.layers,
            architecture: architecture, checkpoint: checkpoint)
        try agree("site_count", "\(manifest.siteCount)", "\(sites.count)")
        guard !sites.isEmpty else { throw ProtectionError.manifest(path: checkpoint.path, field: "site_count") }
    }

    private init(
        method: ProtectionMethod, sampler: Sampler, condition: Double, siteKinds: Set<Site.Kind>,
        residual: ResidualTransform, layers: [Int]?, architecture: Architecture, checkpoint: Checkpoint
    ) throws {
        self.method = method
        self.sampler = sampler
        self.condition = condition
        self.layers = layers.map { Array(Set($0)).sorted() }
        let chosen = layers.map(Set.init)
        self.residual = residual
        sites = architecture.allSites(residual).filter { site in
            siteKinds.contains(site.kind) && site.isInside(chosen)
                && site.group.isMoved(by: sampler, condition: condition)
        }
        self.siteKinds = Set(sites.map(\.kind))
        let untied = sites.lazy.compactMap(\.untied).first.flatMap { untied in
            checkpoint.tensors[untied.table].map { table in
                (
                    untied,
                    TensorRecord(
                        name: untied.head, type: table.type, shape: table.shape, shard: table.shard,
                        dataRange: table.dataRange)
                )
            }
        }
        self.untied = untied
        edits = try TensorEdits.collect(sites, in: checkpoint, adding: [untied?.1].compactMap(\.self))
        roundingMultiple =
            sites.map { $0.group.expectedRoundingMultiple(sampler, condition: condition) }.max() ?? 1
    }

    /// General matrices of a large condition number spoil 16-bit weights; that takes the user's word.
    private func refuseCostlyRounding() throws {
        guard condition > 10, roundingMultiple > 1,
            let narrow = edits.values.first(where: { $0.tensor.type.bitWidth == 16 })?.tensor.type
        else { return }
        throw ProtectionError.conditionTooLarge(condition: condition, multiple: roundingMultiple, type: narrow.rawValue)
    }

    /// The same plan without powers of two.
    func withoutScales(_ architecture: Architecture, _ checkpoint: Checkpoint) throws -> ProtectionPlan {
        try ProtectionPlan(
            method: method, sampler: sampler, condition: 1, siteKinds: siteKinds, residual: residual,
            layers: layers, architecture: architecture, checkpoint: checkpoint)
    }
}
