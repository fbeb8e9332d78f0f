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
        let models = try AuditModels(configuration, threads: threads, opening: opening)
        let calibration = try configuration.calibration.map(ModelInputs.init(readingExamples:))
        let identity = try AuditIdentity(configuration, models)
        done = 0
        let tasks = try tasks(models, identity)
        let scale = UtilityScale(tasks)
        let singles = try singles(models, identity, scale)
        let ensemble = try journal.value(identity.key("ensemble")) { scale.scores(try models.ensemble()) }
        advance(tasks.count)
        let protections = try configuration.protections.map { protection in
            try AuditedProtection(
                protection, configuration, models, scale, calibration, journal, identity, scratch: scratch,
                opening: opening, advance: advance
            ).results(singles)
        }
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

/// Turns scores into shares of what the experts reach.
struct UtilityScale {
    private let own: [Double]

    init(_ tasks: [AuditResults.Task]) { own = tasks.map(\.accuracy) }

    func utility(_ accuracies: [Double]) -> Double {
        zip(accuracies, own).reduce(0) { $0 + $1.0 / $1.1 } / Double(own.count)
    }

    func scores(_ scores: [ModelEvaluation.Scores]) -> AuditResults.Scores {
        let accuracies = scores.map(\.accuracy)
        return AuditResults.Scores(
            accuracies: accuracies, losses: scores.map(\.loss), utility: utility(accuracies))
    }
}

/// What needs no merge with the published model.
struct SingleBody {
    let name: String
    /// Of `AuditModels.experts`; nil for the base.
    private let expert: Int?
    private let coefficient: Double

    static func all(_ models: AuditModels, _ configuration: AuditConfiguration) -> [SingleBody] {
        models.experts.indices.map { SingleBody(name: models.experts[$0].name, expert: $0, coefficient: 1) }
            + [SingleBody(name: "base", expert: nil, coefficient: 0)]
            + models.experts.indices.dropFirst().flatMap { expert in
                configuration.otherCoefficients.map {
                    SingleBody(name: "base + \($0) x \(models.experts[expert].name)", expert: expert, coefficient: $0)
                }
            }
    }

    /// How it does on a task with a model's head.
    func scores(
        _ models: AuditModels, headedBy model: Checkpoint, on task: Int
    ) throws -> ModelEvaluation.Scores {
        let base = models.body(models.base)
        guard let expert else { return try models.scores(of: base, headedBy: model, on: task) }
        let other = models.body(models.experts[expert].checkpoint)
        if coefficient == 1 { return try models.scores(of: other, headedBy: model, on: task) }
        return try MergedModel(
            .taskArithmetic, [(other, ["weight": .value(coefficient)])], base: base, keeping: false,
            threads: models.threads
        ).checked { try models.scores(of: $0, headedBy: model, on: task) }
    }
}
