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
        description = try identity.description(protection, opening: opening)
    }

    /// There is nothing to align in a model that was not protected.
    static func attacks(
        _ protection: AuditConfiguration.Protection, _ configuration: AuditConfiguration
    ) -> [AuditConfiguration.Attack] {
        if case .none = protection.form { return [.none] }
        return configuration.attacks
    }

    /// - Parameter singles: with their own experts' heads; the audited model's comes first.
    func results(_ singles: [AuditResults.Single]) throws -> AuditResults.Protection {
        let published = Lazily { try publish() }
        let publication = try journal.value(key("published")) { try measure(published.value()) }
        advance(models.experts.count)
        var attacks: [AuditResults.Attack] = []
        var baselines = [AuditResults.Baseline(name: "\(protection.name) alone", utility: publication.alone.utility)]
        for attack in Self.attacks(protection, configuration) {
            if case .circuits = attack {
                attacks.append(try circuits(published, publication))
                FileTree.remove(path("aligned"))
                continue
            }
            let aligned = Lazily { try align(published.value(), attack) }
            let alignment = try journal.value(key("aligned by \(attack.name)")) { try measure(aligned) }
            advance(evaluationsPerAlignment)
            baselines += self.baselines(alignment, singles, after: attack.name)
            attacks.append(
                .init(
                    name: attack.name, seconds: alignment.seconds, displacement: alignment.displacement,
                    alone: alignment.alone, barriers: alignment.barriers,
                    merges: try merges(aligned, alignment, after: attack.name), failure: alignment.failure))
            FileTree.remove(path("aligned"))
        }
        for name in ["published", "changed"] { FileTree.remove(path(name)) }
        let baseline = baselines.max { $0.utility < $1.utility } ?? baselines[0]
        return AuditResults.Protection(
            name: protection.name, cost: publication.cost, alone: publication.alone,
            displacement: publication.displacement, baseline: baseline, attacks: attacks)
    }

    /// What somebody who aligned the model has without a merge.
    private func baselines(
        _ alignment: Alignment, _ singles: [AuditResults.Single], after attack: String
    ) -> [AuditResults.Baseline] {
        guard alignment.failure == nil else { return [] }
        let alone = AuditResults.Baseline(
            name: "\(protection.name) alone after \(attack)", utility: alignment.alone.utility)
        return [alone]
            + zip(singles, alignment.singles).dropFirst().map { single, accuracy in
                let accuracies = [accuracy] + single.scores.accuracies.dropFirst()
                return AuditResults.Baseline(name: single.name, utility: scale.utility(accuracies))
            }
    }

    private func merges(
        _ aligned: Lazily<Aligned>, _ alignment: Alignment, after attack: String
    ) throws -> [AuditResults.Merge] {
        guard alignment.failure == nil else { return [] }
        return try configuration.merges.map { merge in
            let trials = MergeTrial.all(of: merge, configuration)
            defer { advance(trials.count * models.experts.count) }
            return try journal.value(key("aligned by \(attack), merged by \(merge.name) at \(trials.map(\.text))")) {
                try measure(merge, trials, aligned.value().model)
            }
        }
    }

    /// The published model's circuits merged with the others'. Each task is scored with a head that lies where the published model's streams do.
    private func circuits(
        _ published: Lazily<Published>, _ publication: Publication
    ) throws -> AuditResults.Attack {
        let name = CircuitMerger.name
        let weights = configuration.protectedCoefficients
        defer { advance(weights.count * models.experts.count) }
        struct Found: Codable {
            let seconds: Double
            let merge: AuditResults.Merge
        }
        let found = try journal.value(key("circuits at \(weights)")) {
            let model = try published.value().model
            let others = models.experts.dropFirst().map(\.checkpoint)
            let started = ContinuousClock.now
            do {
                let aligner = Aligner(.coupled, threads: models.threads)
                let heads = try [model] + others.map { try aligner.aligned($0, to: model).0 }
                let candidates = try weights.map { weight in
                    FileTree.remove(path("aligned"))
                    try CircuitMerger(threads: models.threads).merge(
                        model, with: others, base: models.base, weight: weight, writing: path("aligned"))
                    let merged = try Checkpoint(opening: path("aligned"))
                    let scores = try heads.enumerated().map { task, head in
                        try models.scores(of: models.body(merged), headedBy: head, on: task)
                    }
                    return AuditResults.Candidate(protected: weight, others: weight, scores: scale.scores(scores))
                }
                return Found(
                    seconds: (ContinuousClock.now - started) / .seconds(1),
                    merge: .init(name: name, isPerTask: false, candidates: candidates, failure: nil))
            } catch let error as AlignmentError {
                return Found(
                    seconds: 0, merge: .init(name: name, isPerTask: false, candidates: [], failure: "\(error)"))
            }
        }
        return .init(
            name: name, seconds: found.seconds, displacement: publication.displacement, alone: publication.alone,
            barriers: [], merges: [found.merge], failure: nil)
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
        case .published(let path):
            let model = try opening(path)
            try models.checkPublished(model)
            return Published(model: model, seconds: nil, changed: nil, sites: 0)
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

    private func align(_ published: Published, _ attack: AuditConfiguration.Attack) throws -> Aligned {
        guard case .align(let method) = attack else { return Aligned(model: published.model, seconds: 0) }
        FileTree.remove(path("aligned"))
        let time = try ContinuousClock().measure {
            try Aligner(method, calibration: method.takesCalibration ? calibration : nil, threads: models.threads)
                .align(
                    published.model, to: models.base, writing: path("aligned"))
        }
        return Aligned(model: try Checkpoint(opening: path("aligned")), seconds: time / .seconds(1))
    }

    private func measure(_ aligned: Lazily<Aligned>) throws -> Alignment {
        func failed(_ error: any Error) -> Alignment {
            Alignment(
                seconds: 0, displacement: 0, alone: .init(accuracies: [], losses: [], utility: 0), barriers: [],
                singles: [], failure: "\(error)")
        }
        do {
            let found = try aligned.value()
            let singles = try SingleBody.all(models, configuration).enumerated().map { number, single in
                number == 0 ? 0 : try single.scores(models, headedBy: found.model, on: 0).accuracy
            }
            return Alignment(
                seconds: found.seconds,
                displacement: try Displacement(from: model, to: found.model, threads: models.threads).all,
                alone: scale.scores(try models.scores(ofWhole: found.model, own: 0)),
                barriers: try barriers(found.model), singles: singles, failure: nil)
        } catch let error as AlignmentError {
            return failed(error)
        } catch let error as EvaluationError {
            return failed(error)
        }
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
            } catch is MergeError {
                return nil
            } catch is EvaluationError {
                return nil
            }
        }
    }

    private func measure(
        _ merge: AuditConfiguration.Merge, _ trials: [MergeTrial], _ aligned: Checkpoint
    ) throws -> AuditResults.Merge {
        func result(_ candidates: [AuditResults.Candidate], failure: String? = nil) -> AuditResults.Merge {
            .init(
                name: merge.name, isPerTask: trials.contains(where: \.keepsExperts), candidates: candidates,
                failure: failure)
        }
        do {
            return result(
                try trials.map { trial in
                    .init(
                        protected: trial.protected, others: trial.others,
                        scores: scale.scores(try scores(trial, aligned)))
                })
        } catch let error as MergeError {
            return result([], failure: "\(error)")
        } catch let error as EvaluationError {
            return result([], failure: "\(error)")
        }
    }

    private func scores(_ trial: MergeTrial, _ aligned: Checkpoint) throws -> [ModelEvaluation.Scores] {
        if trial.merge.method.isRouted { return try trial.routedScores(aligned, models, keeping: keepsMerged) }
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
