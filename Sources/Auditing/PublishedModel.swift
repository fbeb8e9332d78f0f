import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import Protections
import Verification

/// What somebody finds published, and the models that it is held against.
struct PublishedModel {
    let checkpoint: Checkpoint
    /// Where it stores its head apart from the table of tokens, the others do, too.
    let models: AuditModels
    /// Nil where nothing was protected here.
    private let seconds: Double?
    /// The weights that the lock acted on, where there is a lock; nil for the model's own.
    private let changed: Checkpoint?
    private let sites: Int

    /// What is said of it before anything is merged.
    struct Findings: Codable {
        let cost: AuditResults.Cost?
        let alone: AuditResults.Scores
        let displacement: Double
    }

    private static let (published, changed, copied) = ("published", "changed", "copied")

    /// Leaves nothing of a published model behind.
    static func remove(in context: AuditContext) {
        for name in [published, changed] { FileTree.remove(context.path(name)) }
    }

    init(_ protection: AuditConfiguration.Protection, _ context: AuditContext) throws {
        switch protection.form {
        case .none: self.init(context.model, context)
        case .published(let path):
            let model = try context.opening(path)
            try context.models.checkPublished(model)
            self.init(model, context)
        case .steps(let steps):
            guard let first = steps.first else { throw AuditError.nothingToTry("steps of \(protection.name)") }
            try self.init(ProtectionOptions(first, then: Array(steps.dropFirst())), context)
        }
    }

    private init(
        _ checkpoint: Checkpoint, _ context: AuditContext, seconds: Double? = nil, changed: Checkpoint? = nil,
        sites: Int = 0
    ) {
        (self.checkpoint, self.seconds, self.changed, self.sites) = (checkpoint, seconds, changed, sites)
        models = context.models.withHeads(like: checkpoint)
    }

    private init(_ options: ProtectionOptions, _ context: AuditContext) throws {
        Self.remove(in: context)
        var options = options
        options.give(base: context.models.base, calibration: context.calibration)
        (options.nonce, options.threads, options.writesCard) = (.zero, context.threads, false)
        // Nobody's secret: the same for the same seed.
        let seed = context.configuration.seed
        let key = SecretKey(bytes: (0..<32).map { UInt8(truncatingIfNeeded: seed >> (8 * UInt64($0 % 8))) })
        var (changed, extra) = (Checkpoint?.none, Duration.zero)
        let started = ContinuousClock.now
        let report = try Protector().protect(
            context.model, to: context.path(Self.published), key: key, options: options
        ) { weights in
            extra = try ContinuousClock().measure {
                try CheckpointWriter(threads: context.threads).write(
                    .keepingShards(of: weights), to: context.path(Self.changed))
                changed = try Checkpoint(opening: context.path(Self.changed))
            }
        }
        let elapsed = ContinuousClock.now - started - extra
        self.init(
            try Checkpoint(opening: context.path(Self.published)), context, seconds: elapsed / .seconds(1),
            changed: changed, sites: report.sites)
    }

    func findings(_ context: AuditContext) throws -> Findings {
        Findings(
            cost: try seconds.map { try cost($0, context) },
            alone: context.scale.scores(try models.scores(ofWhole: checkpoint, own: 0)),
            displacement: try Displacement(from: context.model, to: checkpoint, threads: context.threads).all)
    }

    private func cost(_ seconds: Double, _ context: AuditContext) throws -> AuditResults.Cost {
        let (model, copy) = (context.model, context.path(Self.copied))
        FileTree.remove(copy)
        let copying = try ContinuousClock().measure {
            try CheckpointWriter(threads: context.threads).write(.keepingShards(of: model), to: copy)
        }
        FileTree.remove(copy)
        let change = try RelativeDistance(
            from: Model(model, threads: context.threads), to: Model(checkpoint, threads: context.threads),
            on: models.experts[0].examples.map(\.inputs))
        let proof =
            sites > 0
            ? try AlgebraicVerification(threads: context.threads).verify(changed ?? model, checkpoint).holds : nil
        return .init(
            seconds: seconds, copySeconds: copying / .seconds(1), outputChange: change.value,
            sameFunctionByWeights: proof)
    }
}
