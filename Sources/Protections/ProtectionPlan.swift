import Architectures
import Checkpoints
import Rewriting
import Symmetries

/// A step against one model: the sites, and what they do to each tensor.
struct ProtectionPlan: Sendable {
    let step: ProtectionStep
    let script: EditScript
    /// Expected cost of rounding in multiples of rounding the original, at the site where it is largest, were all channels alike.
    let roundingMultiple: Double

    var sites: [Site] { script.sites }

    /// Resolves the options against a model.
    /// - Throws: what is wrong with them, before anything is written.
    init(_ options: ProtectionOptions, architecture: Architecture, checkpoint: Checkpoint) throws {
        let method = options.method
        let sampler = options.sampler ?? method.defaultSampler
        guard method.samplers.contains(sampler) else {
            throw ProtectionError.samplerNotApplicable(
                method: method.name, sampler: sampler.rawValue, known: method.samplers.map(\.rawValue))
        }
        let condition = options.condition ?? sampler.defaultCondition
        guard condition.isFinite, condition >= 1 else { throw ProtectionError.invalidCondition(condition) }
        if let stray = options.layers?.first(where: { $0 < 0 || $0 >= architecture.layerCount }) {
            throw ProtectionError.layerOutOfRange(layer: stray, stacks: architecture.layerRanges)
        }
        var kinds = options.siteKinds ?? method.siteKinds
        if options.residual.form != nil {
            if sampler == .exact { throw ProtectionError.turningRounds(method: method.name) }
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
        let step = ProtectionStep(
            method: method, sampler: sampler, condition: condition, siteKinds: kinds, residual: options.residual,
            layers: options.layers.map { Array(Set($0)).sorted() })
        try self.init(step, architecture, checkpoint)
        guard !sites.isEmpty else {
            throw ProtectionError.noSites(path: checkpoint.path, method: method.name)
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
        try self.init(manifest.step, architecture, checkpoint)
        try agree("site_count", "\(manifest.siteCount)", "\(sites.count)")
        guard !sites.isEmpty else { throw ProtectionError.manifest(path: checkpoint.path, field: "site_count") }
    }

    private init(_ step: ProtectionStep, _ architecture: Architecture, _ checkpoint: Checkpoint) throws {
        let sites = step.sites(of: architecture)
        var step = step
        step.siteKinds = Set(sites.map(\.kind))
        self.step = step
        script = try EditScript(sites, of: checkpoint)
        roundingMultiple =
            sites.map { $0.group.expectedRoundingMultiple(step.sampler, condition: step.condition) }.max() ?? 1
    }

    /// General matrices of a large condition number spoil 16-bit weights; that takes the user's word.
    private func refuseCostlyRounding() throws {
        guard step.condition > 10, roundingMultiple > 1,
            let narrow = script.editedTensors.first(where: { $0.type.bitWidth == 16 })?.type
        else { return }
        throw ProtectionError.conditionTooLarge(
            condition: step.condition, multiple: roundingMultiple, type: narrow.rawValue)
    }

    /// The same plan without powers of two.
    func withoutScales(_ architecture: Architecture, _ checkpoint: Checkpoint) throws -> ProtectionPlan {
        var unscaled = step
        unscaled.condition = 1
        return try ProtectionPlan(unscaled, architecture, checkpoint)
    }
}
