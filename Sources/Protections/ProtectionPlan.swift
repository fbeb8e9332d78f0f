import Architectures
import Checkpoints
import Rewriting
import Symmetries

/// Steps against one model: the sites, and what they do to each tensor.
struct ProtectionPlan: Sendable {
    let steps: ProtectionSteps
    let script: EditScript

    var sites: [Site] { script.sites }

    /// Resolves the options against a model.
    /// - Throws: what is wrong with them, before anything is written.
    init(_ options: ProtectionOptions, architecture: Architecture, checkpoint: Checkpoint) throws {
        let chosen = try options.steps.map {
            try Self.step(
                $0, hasBase: options.base != nil, hasInputs: options.calibration != nil, architecture, checkpoint)
        }
        if options.base != nil, !chosen.contains(where: { $0.isAssigned || $0.change?.needsBase == true }) {
            throw ProtectionError.noUseOfBase(methods: options.steps.map(\.method.name))
        }
        if options.base == nil, let needy = chosen.first(where: { $0.change?.needsBase == true }) {
            throw ProtectionError.needsBase(method: needy.method.name)
        }
        if options.calibration == nil, let needy = chosen.first(where: \.needsInputs) {
            throw ProtectionError.needsInputs(method: needy.method.name)
        }
        if options.calibration != nil, !chosen.contains(where: \.usesInputs) {
            throw ProtectionError.noUseOfInputs(methods: options.steps.map(\.method.name))
        }
        if let late = chosen.drop(while: \.method.onlyChangesWeights).first(where: \.method.onlyChangesWeights) {
            throw ProtectionError.changesTooLate(method: late.method.name)
        }
        if chosen.filter({ $0.ffn != nil }).count > 1 {
            throw ProtectionError.noPolynomials(
                path: checkpoint.path, reason: "two steps would state them; leave one without")
        }
        let turning = chosen.filter { $0.siteKinds.contains(.residual) }
        if turning.count > 1, let turned = turning.first(where: { $0.residual.form != nil }) {
            throw ProtectionError.turnedTwice(transform: turned.residual.rawValue)
        }
        try self.init(ProtectionSteps(chosen[0], chosen.dropFirst()), architecture, checkpoint)
        try requireSites(in: checkpoint)
        if options.namesNoCondition { try refuseCostlyRounding() }
    }

    /// What one step's options mean for a model.
    private static func step(
        _ options: StepOptions, hasBase: Bool, hasInputs: Bool, _ architecture: Architecture, _ checkpoint: Checkpoint
    ) throws -> ProtectionStep {
        let method = options.method
        let sampler = options.sampler ?? method.defaultSampler
        guard method.samplers.contains(sampler) || method.onlyChangesWeights && options.sampler == nil else {
            throw ProtectionError.samplerNotApplicable(
                method: method.name, sampler: sampler.rawValue, known: method.samplers.map(\.rawValue))
        }
        let condition = options.condition ?? sampler.defaultCondition
        guard condition.isFinite, condition >= 1 else { throw ProtectionError.invalidCondition(condition) }
        var parameters = try method.values(options.parameters)
        if options.ffn != nil {
            guard method.statesPolynomials else { throw ProtectionError.statesNoPolynomials(method: method.name) }
            guard architecture.polynomials == nil else {
                throw ProtectionError.noPolynomials(path: checkpoint.path, reason: "they are polynomials already")
            }
            parameters[.order] = parameters[.order] ?? ProtectionStep.standardOrder
        } else if parameters[.order] != nil {
            throw ProtectionError.orderWithoutPolynomials
        }
        if let stray = options.layers?.first(where: { $0 < 0 || $0 >= architecture.layerCount }) {
            throw ProtectionError.layerOutOfRange(layer: stray, stacks: architecture.layerRanges)
        }
        var kinds = method.onlyChangesWeights ? [] : options.siteKinds ?? method.siteKinds
        if options.residual.form != nil {
            if sampler == .exact { throw ProtectionError.turningRounds(method: method.name) }
            if let reason = reasonNotToTurn(kinds, options, architecture) {
                throw ProtectionError.noTurning(
                    path: checkpoint.path, transform: options.residual.rawValue, reason: reason)
            }
        }
        if kinds.contains(.residual), let reason = reasonToKeepStreams(options, architecture) {
            // Who asks for nothing but what cannot be had is told why.
            guard options.siteKinds == nil || kinds.count > 1 else {
                throw ProtectionError.noResidualSite(path: checkpoint.path, reason: reason)
            }
            kinds.remove(.residual)
        }
        let change = method.change(given: parameters)
        return ProtectionStep(
            method: method, sampler: sampler, condition: condition, siteKinds: kinds, residual: options.residual,
            layers: options.layers.map { Array(Set($0)).sorted() },
            isAssigned: hasBase && method.assignsChannels && kinds.contains(.mlp),
            isCalibrated: hasInputs && change.map { $0.usesInputs && !$0.needsInputs } ?? false, parameters: parameters,
            ffn: options.ffn)
    }

    /// Why no residual stream may be moved, if so.
    private static func reasonToKeepStreams(
        _ options: StepOptions, _ architecture: Architecture
    ) -> String? {
        if options.residual == .none { return "the residual stream is to stay as it is" }
        if options.layers != nil { return "all layers share the residual stream, and only some are to be acted on" }
        let streams = architecture.residualStreams
        return streams.allSatisfy { $0.site == nil } ? streams.compactMap(\.limit).first : nil
    }

    /// Why some residual stream may not be turned, if so.
    private static func reasonNotToTurn(
        _ kinds: Set<Site.Kind>, _ options: StepOptions, _ architecture: Architecture
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
        try self.init(manifest.steps, architecture, checkpoint)
        try agree("site_count", "\(manifest.siteCount)", "\(sites.count)")
        guard !steps.all.allSatisfy({ $0.method.onlyChangesWeights || $0.ffn != nil && $0.siteKinds.isEmpty }) else {
            throw ProtectionError.nothingToUndo(path: checkpoint.path, methods: steps.name)
        }
        guard !sites.isEmpty else { throw ProtectionError.manifest(path: checkpoint.path, field: "site_count") }
    }

    private init(_ steps: ProtectionSteps, _ architecture: Architecture, _ checkpoint: Checkpoint) throws {
        self.steps = steps.resolved(architecture)
        script = try EditScript(steps.sites(of: architecture), of: checkpoint)
    }

    /// The same for a model that was stated in another form, which may have fewer sites.
    func restated(in checkpoint: Checkpoint) throws -> ProtectionPlan {
        let plan = try ProtectionPlan(steps, try Architecture.resolve(checkpoint), checkpoint)
        try plan.requireSites(in: checkpoint)
        return plan
    }

    private func requireSites(in checkpoint: Checkpoint) throws {
        for step in steps.all
        where !step.method.onlyChangesWeights && step.ffn == nil && !sites.contains(where: step.acts) {
            throw ProtectionError.noSites(path: checkpoint.path, method: step.method.name)
        }
    }

    /// General matrices of a large condition number spoil 16-bit weights; that takes the user's word.
    private func refuseCostlyRounding() throws {
        let condition = steps.all.map(\.condition).max() ?? 1
        guard condition > 10 else { return }
        let multiple = try PredictedRounding(sites, powers: nil, laws: steps.laws).multiples.values.max() ?? 1
        guard multiple > 1, let narrow = script.editedTensors.first(where: { $0.type.bitWidth == 16 })?.type else {
            return
        }
        throw ProtectionError.conditionTooLarge(condition: condition, multiple: multiple, type: narrow.rawValue)
    }

    /// The same plan without powers of two.
    func withoutScales(_ architecture: Architecture, _ checkpoint: Checkpoint) throws -> ProtectionPlan {
        try ProtectionPlan(steps.withoutScales, architecture, checkpoint)
    }
}
