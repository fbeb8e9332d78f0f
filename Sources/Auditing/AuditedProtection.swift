import Alignment
import Checkpoints
import Evaluation
import ForwardPass
import Foundations
import Merging
import Protections
import Verification

/// One protection under audit: publishes, attacks, merges.
struct AuditedProtection {
    private let protection: AuditConfiguration.Protection
    private let configuration: AuditConfiguration
    private let models: AuditModels
    private let scale: UtilityScale
    private let calibration: ModelInputs?
    private let journal: AuditJournal
    private let identity: AuditIdentity
    private let description: String
    private let scratch: String
    private let opening: (String) throws -> Checkpoint
    private let advance: (Int) -> Void

    /// What is said of the published model before anything is merged.
    private struct Publication: Codable {
        let cost: AuditResults.Cost?
        let alone: AuditResults.Scores
        let displacement: Double
    }

    /// What is said of an aligned model before anything is merged.
    private struct Alignment: Codable {
        let seconds, displacement: Double
        let alone: AuditResults.Scores
        let barriers: [AuditResults.Barrier]
        /// Of what needs no merge, on the audited model's own task with the aligned head.
        let singles: [Double]
        let failure: String?
    }

    init(
        _ protection: AuditConfiguration.Protection, _ configuration: AuditConfiguration, _ models: AuditModels,
        _ scale: UtilityScale, _ calibration: ModelInputs?, _ journal: AuditJournal, _ identity: AuditIdentity,
        scratch: String, opening: @escaping (String) throws -> Checkpoint, advance: @escaping (Int) -> Void
    ) throws {
        (self.protection, self.configuration, self.models, self.scale) = (protection, configuration, models, scale)
        (self.calibration, self.journal, self.identity) = (calibration, journal, identity)
        (self.scratch, self.opening, self.advance) = (scratch, opening, advance)
        description = try identity.description(protection, calibration: configuration.calibration)
    }

    /// There is nothing to align in a model that was not protected.
    static func attacks(
        _ protection: AuditConfiguration.Protection, _ configuration: AuditConfiguration
    ) -> [AlignmentMethod?] {
        if case .none = protection.form { return [nil] }
        return configuration.attacks
    }

    /// - Parameter singles: with their own experts' heads; the audited model's comes first.
    func results(_ singles: [AuditResults.Single]) throws -> AuditResults.Protection {
        let published = Lazily { try publish() }
        let publication = try journal.value(key("published")) { try measure(published.value()) }
        advance(models.experts.count)
        var (attacks, baselines): ([AuditResults.Attack], [AuditResults.Baseline]) = ([], [])
        baselines.append(.init(name: "\(protection.name) alone", utility: publication.alone.utility))
        for method in Self.attacks(protection, configuration) {
            let name = method?.name ?? "none"
            let aligned = Lazily { try align(published.value(), method) }
            let alignment = try journal.value(key("aligned by \(name)")) { try measure(aligned) }
            advance(evaluationsPerAlignment)
            if alignment.failure == nil {
                baselines.append(
                    .init(name: "\(protection.name) alone after \(name)", utility: alignment.alone.utility))
            }
            for (single, accuracy) in zip(singles.dropFirst(), alignment.singles.dropFirst()) {
                let accuracies = [accuracy] + single.scores.accuracies.dropFirst()
                baselines.append(.init(name: single.name, utility: scale.utility(accuracies)))
            }
            let merges = try configuration.merges.map { merge in
                let trials = MergeTrial.all(of: merge, configuration)
                defer { advance(trials.count * models.experts.count) }
                if let failure = alignment.failure {
                    return AuditResults.Merge(name: merge.name, candidates: [], failure: failure)
                }
                return try journal.value(key("aligned by \(name), merged by \(merge.name) at \(trials.map(\.text))")) {
                    try measure(merge, trials, aligned.value().model)
                }
            }
            attacks.append(
                .init(
                    name: name, seconds: alignment.seconds, displacement: alignment.displacement,
                    alone: alignment.alone, barriers: alignment.barriers, merges: merges, failure: alignment.failure))
            FileTree.remove(path("aligned"))
        }
        for name in ["published", "changed", "copied"] { FileTree.remove(path(name)) }
        let baseline = baselines.max { $0.utility < $1.utility } ?? .init(name: "none", utility: 0)
        return AuditResults.Protection(
            name: protection.name, cost: publication.cost, alone: publication.alone,
            displacement: publication.displacement, baseline: baseline, attacks: attacks,
            worst: Self.worst(attacks, baseline))
    }

    /// The candidate with the largest utility; nil where nothing could be merged.
    private static func worst(
        _ attacks: [AuditResults.Attack], _ baseline: AuditResults.Baseline
    ) -> AuditResults.Worst? {
        let all = attacks.flatMap { attack in
            attack.merges.compactMap { merge in merge.best.map { (attack.name, merge.name, $0) } }
        }
        guard let (attack, merge, candidate) = all.max(by: { $0.2.scores.utility < $1.2.scores.utility }) else {
            return nil
        }
        return .init(
            attack: attack, merge: merge, candidate: candidate,
            advantage: candidate.scores.utility - baseline.utility)
    }

    private func key(_ finding: String) -> String {
        identity.key("\(finding), \(configuration.barrierPoints) points, of \(description)")
    }

    private func path(_ name: String) -> String { scratch + "/" + name }

    private var evaluationsPerAlignment: Int {
        let tasks = models.experts.count
        return tasks + SingleBody.all(models, configuration).count
            + configuration.others.count * configuration.barrierPoints * 2
    }

    // MARK: Publishing

    private struct Published {
        let model: Checkpoint
        /// Nil where nothing was protected here.
        let seconds: Double?
        /// The weights that the lock acted on, where there is a lock; nil for the model's own.
        let changed: Checkpoint?
        let sites: Int
    }

    private var model: Checkpoint { models.experts[0].checkpoint }

    private func publish() throws -> Published {
        switch protection.form {
        case .none: return Published(model: model, seconds: nil, changed: nil, sites: 0)
        case .published(let path): return Published(model: try opening(path), seconds: nil, changed: nil, sites: 0)
        case .steps(let steps):
            guard let first = steps.first else { throw AuditError.nothingToTry("steps of \(protection.name)") }
            for name in ["published", "changed"] { FileTree.remove(path(name)) }
            var options = ProtectionOptions(first, then: Array(steps.dropFirst()))
            options.give(base: models.base, calibration: calibration)
            (options.nonce, options.threads, options.writesCard) = (.zero, models.threads, false)
            var (changed, extra) = (Checkpoint?.none, Duration.zero)
            let started = ContinuousClock.now
            let report = try Protector().protect(model, to: path("published"), key: key, options: options) { weights in
                extra = try ContinuousClock().measure {
                    try CheckpointWriter(threads: models.threads).write(
                        .keepingShards(of: weights), to: path("changed"))
                    changed = try Checkpoint(opening: path("changed"))
                }
            }
            let elapsed = ContinuousClock.now - started - extra
            return Published(
                model: try Checkpoint(opening: path("published")), seconds: elapsed / .seconds(1), changed: changed,
                sites: report.sites)
        }
    }

    /// Nobody's secret: the same for the same seed.
    private var key: SecretKey {
        SecretKey(bytes: (0..<32).map { UInt8(truncatingIfNeeded: configuration.seed >> (8 * UInt64($0 % 8))) })
    }

    private func measure(_ published: Published) throws -> Publication {
        let displacement = try Displacement(from: model, to: published.model, threads: models.threads)
        var cost: AuditResults.Cost?
        if let seconds = published.seconds {
            FileTree.remove(path("copied"))
            let copying = try ContinuousClock().measure {
                try CheckpointWriter(threads: models.threads).write(.keepingShards(of: model), to: path("copied"))
            }
            FileTree.remove(path("copied"))
            let (before, after) = (
                try Model(model, threads: models.threads), try Model(published.model, threads: models.threads)
            )
            let change = try RelativeDistance(from: before, to: after, on: models.experts[0].examples.map(\.inputs))
            let proof =
                published.sites > 0
                ? try AlgebraicVerification(threads: models.threads).verify(
                    published.changed ?? model, published.model
                ).holds : nil
            cost = .init(
                seconds: seconds, copySeconds: copying / .seconds(1), outputChange: change.value,
                sameFunctionByWeights: proof)
        }
        return Publication(
            cost: cost, alone: scale.scores(try models.scores(ofWhole: published.model, own: 0)),
            displacement: displacement.all)
    }

    // MARK: Attacking

    private struct Aligned {
        let model: Checkpoint
        let seconds: Double
    }

    private func align(_ published: Published, _ method: AlignmentMethod?) throws -> Aligned {
        guard let method else { return Aligned(model: published.model, seconds: 0) }
        FileTree.remove(path("aligned"))
        let time = try ContinuousClock().measure {
            try Aligner(method, threads: models.threads).align(
                published.model, to: models.base, writing: path("aligned"))
        }
        return Aligned(model: try Checkpoint(opening: path("aligned")), seconds: time / .seconds(1))
    }

    private func measure(_ aligned: Lazily<Aligned>) throws -> Alignment {
        let found: Aligned
        do { found = try aligned.value() } catch let error as AlignmentError {
            return Alignment(
                seconds: 0, displacement: 0, alone: .init(accuracies: [], losses: [], utility: 0), barriers: [],
                singles: [], failure: "\(error)")
        }
        let singles = try SingleBody.all(models, configuration).enumerated().map { number, single in
            number == 0 ? 0 : try single.scores(models, headedBy: found.model, on: 0).accuracy
        }
        return Alignment(
            seconds: found.seconds,
            displacement: try Displacement(from: model, to: found.model, threads: models.threads).all,
            alone: scale.scores(try models.scores(ofWhole: found.model, own: 0)),
            barriers: try barriers(found.model), singles: singles, failure: nil)
    }

    // MARK: Merging

    /// Along the straight path to each of the others, on the audited model's task and that one's.
    private func barriers(_ aligned: Checkpoint) throws -> [AuditResults.Barrier] {
        guard configuration.barrierPoints > 1 else { return [] }
        return try models.experts.indices.dropFirst().compactMap { number in
            let other = models.experts[number]
            let path = LossPath(points: configuration.barrierPoints)
            do {
                let losses = try path.alphas.map { alpha in
                    try MergedModel(
                        .linear,
                        [
                            (models.body(aligned), ["weight": .value(1 - alpha)]),
                            (models.body(other.checkpoint), ["weight": .value(alpha)]),
                        ], base: nil, keeping: keepsMerged, threads: models.threads
                    ).checked { body in
                        let first = try models.scores(of: body, headedBy: aligned, on: 0)
                        let second = try models.scores(of: body, headedBy: other.checkpoint, on: number)
                        return (first.loss + second.loss) / 2
                    }
                }
                return .init(
                    other: other.name, alphas: path.alphas, losses: losses, height: path.barrier(of: losses))
            } catch is MergeError { return nil }
        }
    }

    private func measure(
        _ merge: AuditConfiguration.Merge, _ trials: [MergeTrial], _ aligned: Checkpoint
    ) throws -> AuditResults.Merge {
        do {
            let candidates = try trials.map { trial in
                AuditResults.Candidate(
                    protected: trial.protected, others: trial.others, scores: scale.scores(try scores(trial, aligned)))
            }
            return .init(name: merge.name, candidates: candidates, failure: nil)
        } catch let error as MergeError {
            return .init(name: merge.name, candidates: [], failure: "\(error)")
        } catch let error as EvaluationError {
            return .init(name: merge.name, candidates: [], failure: "\(error)")
        }
    }

    private func scores(_ trial: MergeTrial, _ aligned: Checkpoint) throws -> [ModelEvaluation.Scores] {
        func merged(_ task: Int) throws -> MergedModel {
            try trial.merged(
                models.body(aligned), models.experts.dropFirst().map { models.body($0.checkpoint) },
                base: models.body(models.base), task: task, seed: configuration.seed, keeping: keepsMerged,
                threads: models.threads)
        }
        let shared = trial.isPerTask ? nil : try merged(0)
        return try models.experts.indices.map { task in
            try (shared ?? merged(task)).checked { body in
                let head = task == 0 ? aligned : models.experts[task].checkpoint
                return try models.scores(of: body, headedBy: head, on: task)
            }
        }
    }

    /// Whether a merged model fits into memory beside what is computed with it.
    private var keepsMerged: Bool { model.tensorBytes < WorkerThreads.physicalMemory / 4 }
}

/// A value that is found when it is asked for, once.
private final class Lazily<Value> {
    private let find: () throws -> Value
    private var found: Value?

    init(_ find: @escaping () throws -> Value) { self.find = find }

    func value() throws -> Value {
        if let found { return found }
        let value = try find()
        found = value
        return value
    }
}
