import Alignment
import Checkpoints
import Evaluation
import Foundations
import Merging

/// One protection under audit: published, attacked and merged, every finding kept in the journal as it is made.
struct AuditedProtection {
    private let protection: AuditConfiguration.Protection
    private let context: AuditContext
    private let description: String

    init(_ protection: AuditConfiguration.Protection, _ context: AuditContext) throws {
        (self.protection, self.context) = (protection, context)
        description = try context.identity.description(protection, opening: context.opening)
    }

    private var configuration: AuditConfiguration { context.configuration }
    private var taskCount: Int { context.models.experts.count }

    /// There is nothing to align in a model that was not protected.
    static func attacks(
        _ protection: AuditConfiguration.Protection, _ configuration: AuditConfiguration
    ) -> [AuditConfiguration.Attack] {
        if case .none = protection.form { return [.none] }
        return configuration.attacks
    }

    /// - Parameter singles: with their own experts' heads; the audited model's comes first.
    func results(_ singles: [AuditResults.Single]) throws -> AuditResults.Protection {
        let published = Lazily { try PublishedModel(protection, context) }
        let findings = try finding("published") { try published.value().findings(context) }
        context.advance(taskCount)
        var attacks: [AuditResults.Attack] = []
        var baselines = [AuditResults.Baseline(name: "\(protection.name) alone", utility: findings.alone.utility)]
        for attack in Self.attacks(protection, configuration) {
            switch attack {
            case .circuits: attacks.append(try circuits(published, findings))
            case .none, .align:
                let (found, before) = try self.attack(published, attack, singles)
                attacks.append(found)
                baselines += before
            }
            FileTree.remove(AlignedModel.path(context))
        }
        PublishedModel.remove(in: context)
        let baseline = baselines.max { $0.utility < $1.utility } ?? baselines[0]
        return AuditResults.Protection(
            name: protection.name, cost: findings.cost, alone: findings.alone, displacement: findings.displacement,
            baseline: baseline, attacks: attacks)
    }

    private func finding<Found: Codable>(_ name: String, _ find: () throws -> Found) throws -> Found {
        let key = "\(name), \(configuration.barrierPoints) points, of \(description)"
        return try context.journal.value(context.identity.key(key), find)
    }

    // MARK: Attacks

    /// The model aligned, and merged; and what the attacker has without a merge.
    private func attack(
        _ published: Lazily<PublishedModel>, _ attack: AuditConfiguration.Attack, _ singles: [AuditResults.Single]
    ) throws -> (AuditResults.Attack, baselines: [AuditResults.Baseline]) {
        let method: AlignmentMethod? = if case .align(let method) = attack { method } else { nil }
        let aligned = Lazily { try AlignedModel(published.value(), by: method, context) }
        let findings = try finding("aligned by \(attack.name)") {
            try Attempt { try aligned.value().findings(context) }
        }
        context.advance(
            taskCount + singles.count + configuration.others.count * configuration.barrierPoints * 2)
        guard let found = findings.found else {
            context.advance(
                taskCount * configuration.merges.reduce(0) { $0 + MergeTrial.all(of: $1, configuration).count })
            return (.init(name: attack.name, failure: findings.failure), [])
        }
        let merges = try configuration.merges.map { merge in
            try self.merge(aligned, after: attack.name, by: merge)
        }
        let result = AuditResults.Attack(
            name: attack.name, seconds: found.seconds, displacement: found.displacement, alone: found.alone,
            barriers: found.barriers, merges: merges, failure: nil)
        return (result, baselines(found, singles, after: attack.name))
    }

    private func baselines(
        _ found: AlignedModel.Findings, _ singles: [AuditResults.Single], after attack: String
    ) -> [AuditResults.Baseline] {
        let name = "\(protection.name) alone after \(attack)"
        return [AuditResults.Baseline(name: name, utility: found.alone.utility)]
            + zip(singles, found.singles).dropFirst().map { single, accuracy in
                let accuracies = [accuracy] + single.scores.accuracies.dropFirst()
                return AuditResults.Baseline(name: single.name, utility: context.scale.utility(accuracies))
            }
    }

    private func merge(
        _ aligned: Lazily<AlignedModel>, after attack: String, by merge: AuditConfiguration.Merge
    ) throws -> AuditResults.Merge {
        let trials = MergeTrial.all(of: merge, configuration)
        let candidates = try finding("aligned by \(attack), merged by \(merge.name) at \(trials.map(\.text))") {
            try Attempt { try trials.map { try $0.candidate(aligned.value(), context) } }
        }
        context.advance(trials.count * taskCount)
        return .init(
            name: merge.name, isPerTask: trials.contains(where: \.keepsExperts), candidates: candidates.found ?? [],
            failure: candidates.failure)
    }

    // MARK: Circuits

    private struct CircuitFindings: Codable {
        let seconds: Double
        let candidates: [AuditResults.Candidate]
    }

    /// The published model's circuits merged with the others'.
    private func circuits(
        _ published: Lazily<PublishedModel>, _ findings: PublishedModel.Findings
    ) throws -> AuditResults.Attack {
        let (name, weights) = (CircuitMerger.name, configuration.protectedCoefficients)
        let attempt = try finding("circuits at \(weights)") {
            try Attempt { try circuits(published.value(), at: weights) }
        }
        context.advance(weights.count * taskCount)
        let merge = AuditResults.Merge(
            name: name, isPerTask: false, candidates: attempt.found?.candidates ?? [], failure: attempt.failure)
        return .init(
            name: name, seconds: attempt.found?.seconds ?? 0, displacement: findings.displacement,
            alone: findings.alone, barriers: [], merges: [merge], failure: nil)
    }

    /// Each task is scored with a head that lies where the published model's streams do.
    private func circuits(_ published: PublishedModel, at weights: [Double]) throws -> CircuitFindings {
        let models = published.models
        let others = models.experts.dropFirst().map(\.checkpoint)
        let started = ContinuousClock.now
        let aligner = Aligner(.coupled, threads: models.threads)
        let heads = try [published.checkpoint] + others.map { try aligner.aligned($0, to: published.checkpoint).0 }
        let candidates = try weights.map { weight in
            FileTree.remove(AlignedModel.path(context))
            try CircuitMerger(threads: models.threads).merge(
                published.checkpoint, with: others, base: models.base, weight: weight,
                writing: AlignedModel.path(context))
            let merged = try Checkpoint(opening: AlignedModel.path(context))
            let scores = try heads.enumerated().map { task, head in
                try models.scores(of: models.body(merged), headedBy: head, on: task)
            }
            return AuditResults.Candidate(protected: weight, others: weight, scores: context.scale.scores(scores))
        }
        return CircuitFindings(
            seconds: (ContinuousClock.now - started) / .seconds(1), candidates: candidates)
    }
}

extension AuditResults.Attack {
    /// One that came to nothing.
    fileprivate init(name: String, failure: String?) {
        self.init(
            name: name, seconds: 0, displacement: 0, alone: .init(accuracies: [], losses: [], utility: 0),
            barriers: [], merges: [], failure: failure)
    }
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
