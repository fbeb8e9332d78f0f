import Alignment
import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import Merging
import Protections
import Verification

/// Tries every protection of one model against every attack and merge, and measures what comes out.
///
/// Attackers pick their coefficients with the labels of the very examples that they are judged on, so that what is reported is at least what
/// somebody without them gets. Merges are evaluated in memory; published and aligned models lie in the scratch folder, one of each at a time.
public final class Auditor {
    /// The file in its folder that keeps what was found.
    public static let findings = "found.jsonl"

    private let configuration: AuditConfiguration
    private let threads: Int?
    private let journal: AuditJournal
    private let scratch: String
    private let opening: (String) throws -> Checkpoint
    private let progress: ((_ done: Int, _ all: Int) -> Void)?
    private var done = 0

    /// - Parameters:
    ///   - folder: is there, and keeps what was found: a run that was stopped goes on from there with the same folder.
    ///   - opening: finds a model by its name in the configuration.
    ///   - progress: told of evaluations.
    public init(
        _ configuration: AuditConfiguration, in folder: String, threads: Int? = nil,
        opening: @escaping (String) throws -> Checkpoint = { try Checkpoint(opening: $0) },
        progress: ((_ done: Int, _ all: Int) -> Void)? = nil
    ) {
        (self.configuration, self.threads, self.opening, self.progress) = (configuration, threads, opening, progress)
        (journal, scratch) = (AuditJournal(folder + "/" + Self.findings), folder)
    }

    /// - Throws: `AuditError`, `ProtectionError` and others where something does not go together. An attack or a merge that fails for itself is
    ///   reported, and ends nothing.
    public func run() throws -> AuditResults {
        guard !configuration.protections.isEmpty else { throw AuditError.nothingToTry("protections") }
        guard !configuration.merges.isEmpty else { throw AuditError.nothingToTry("merges") }
        guard !configuration.attacks.isEmpty else { throw AuditError.nothingToTry("attacks") }
        for protection in configuration.protections { try protection.checkName() }
        for merge in configuration.merges { try configuration.requireEvidence(of: merge.method) }
        let models = try AuditModels(configuration, threads: threads, opening: opening)
        let calibration = try configuration.calibration.map(ModelInputs.init(readingExamples:))
        let identity = try AuditIdentity(configuration, models)
        done = 0
        let tasks = try tasks(models, identity)
        let scale = UtilityScale(tasks)
        let singles = try singles(models, identity, scale)
        let ensemble = try journal.value(identity.key("ensemble")) { scale.scores(try models.ensemble()) }
        advance(tasks.count)
        let context = AuditContext(
            configuration: configuration, models: models, scale: scale, calibration: calibration, journal: journal,
            identity: identity, scratch: scratch, opening: opening, advance: advance)
        let protections = try configuration.protections.map { try AuditedProtection($0, context).results(singles) }
        return AuditResults(
            base: configuration.base, model: configuration.model.model, seed: configuration.seed, tasks: tasks,
            heads: models.heads.sorted(), singles: singles, ensemble: ensemble, protections: protections)
    }

    private func advance(_ count: Int) {
        done += count
        progress?(done, evaluations)
    }

    /// Bodies times tasks.
    private var evaluations: Int {
        let tasks = 1 + configuration.others.count
        let singles = 1 + tasks + configuration.others.count * configuration.otherCoefficients.count
        let trials = configuration.merges.reduce(0) { $0 + MergeTrial.all(of: $1, configuration).count }
        let barriers = configuration.others.count * configuration.barrierPoints * 2
        let attacks = configuration.protections.flatMap { AuditedProtection.attacks($0, configuration) }
        return 2 * tasks + singles * tasks + configuration.protections.count * tasks
            + attacks.reduce(0) { sum, attack in
                if case .circuits = attack { return sum + configuration.protectedCoefficients.count * tasks }
                return sum + tasks + singles + barriers + trials * tasks
            }
    }

    private func tasks(_ models: AuditModels, _ identity: AuditIdentity) throws -> [AuditResults.Task] {
        try models.experts.enumerated().map { number, expert in
            defer { advance(2) }
            return try journal.value(identity.key("task \(number)")) {
                let own = try ModelEvaluation(model: Model(expert.checkpoint, threads: threads)).scores(expert.examples)
                guard own.accuracy > 0 else { throw AuditError.noSuccess(task: expert.name) }
                let base = try models.scores(
                    of: models.body(models.base), headedBy: expert.checkpoint, on: number)
                return AuditResults.Task(
                    name: expert.name, expert: expert.checkpoint.path, examples: own.count, unit: own.unit,
                    accuracy: own.accuracy, loss: own.loss, baseAccuracy: base.accuracy)
            }
        }
    }

    /// The audited model's own comes first.
    private func singles(
        _ models: AuditModels, _ identity: AuditIdentity, _ scale: UtilityScale
    ) throws -> [AuditResults.Single] {
        try SingleBody.all(models, configuration).map { single in
            defer { advance(models.experts.count) }
            return try journal.value(identity.key("single \(single.name)")) {
                let scores = try models.experts.enumerated().map { task, expert in
                    try single.scores(models, headedBy: expert.checkpoint, on: task)
                }
                return AuditResults.Single(name: single.name, scores: scale.scores(scores))
            }
        }
    }
}
