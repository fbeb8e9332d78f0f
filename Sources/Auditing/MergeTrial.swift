import Checkpoints
import Evaluation
import Merging

/// One merge of the published model with all others, at one pair of coefficients.
package struct MergeTrial {
    let merge: AuditConfiguration.Merge
    /// Of the published model, and of each of the others; nil where the method takes none.
    package let protected, others: Double?
    private let settings: MergeConfiguration.Settings

    /// The coefficients.
    package var text: String { "\(protected.map { "\($0)" } ?? "-")/\(others.map { "\($0)" } ?? "-")" }

    /// Every trial of a method: its weights, its t or its λ are scanned unless they are held.
    package static func all(of merge: AuditConfiguration.Merge, _ configuration: AuditConfiguration) -> [MergeTrial] {
        let (first, second) = (configuration.protectedCoefficients, configuration.otherCoefficients)
        let free = Set(merge.method.parameters.map(\.name)).subtracting(merge.parameters.keys)
        if free.contains("weight") {
            return first.flatMap { a in second.map { MergeTrial(merge, protected: a, others: $0) } }
        }
        if free.contains("t") {
            var shares: [Double] = []
            for share in first.flatMap({ a in second.map { a + $0 == 0 ? 0.5 : $0 / (a + $0) } })
            where !shares.contains(share) { shares.append(share) }
            return shares.map { MergeTrial(merge, protected: 1 - $0, others: $0, ["t": .value($0)]) }
        }
        if free.contains("lambda") {
            guard merge.method.name == MergeMethod.keepOne.name else {
                return first.map { MergeTrial(merge, protected: $0, others: $0, ["lambda": .value($0)]) }
            }
            return second.map { MergeTrial(merge, protected: 1, others: $0, ["lambda": .value($0)]) }
        }
        return [MergeTrial(merge, protected: nil, others: nil)]
    }

    init(
        _ merge: AuditConfiguration.Merge, protected: Double?, others: Double?,
        _ settings: MergeConfiguration.Settings = [:]
    ) {
        (self.merge, self.protected, self.others) = (merge, protected, others)
        self.settings = settings.merging(merge.parameters.mapValues { .value($0) }) { $1 }
    }

    /// Whether it rebuilds one task at a time, so that every task has a merge of its own.
    var isPerTask: Bool {
        merge.method.parameters.contains { $0.name == "task" } && merge.parameters["task"] == nil
    }

    /// Whether all models stay beside each other: each task has a merge of its own, or every token chooses among them.
    var keepsExperts: Bool { isPerTask || merge.method.isRouted }

    /// How the merge of an aligned model with all others does on every task.
    /// - Throws: `MergeError` where they can't be merged so, `EvaluationError` where what comes out says nothing.
    func candidate(_ aligned: AlignedModel, _ context: AuditContext) throws -> AuditResults.Candidate {
        let scores = try merge.method.isRouted ? routedScores(aligned, context) : mergedScores(aligned, context)
        return .init(protected: protected, others: others, scores: context.scale.scores(scores))
    }

    private func mergedScores(
        _ aligned: AlignedModel, _ context: AuditContext
    ) throws -> [ModelEvaluation.Scores] {
        let shared = isPerTask ? nil : try merged(aligned, task: 0, context)
        return try aligned.heads.enumerated().map { task, head in
            try (shared ?? merged(aligned, task: task, context)).checked { body in
                try aligned.models.scores(of: body, headedBy: head, on: task)
            }
        }
    }

    /// The merged body of bodies.
    ///
    /// - Parameter task: the one that is rebuilt, where the method rebuilds one.
    private func merged(_ aligned: AlignedModel, task: Int, _ context: AuditContext) throws -> MergedModel {
        let (method, models) = (merge.method, aligned.models)
        let weights = [protected] + Array(repeating: others, count: models.experts.count - 1)
        let all = zip(aligned.heads, weights).map { whole, weight in
            MergedModel.Source(
                models.body(whole), settings: weight.map { ["weight": .value($0)] } ?? [:],
                evidence: method.evidence == .calibration
                    ? context.configuration.calibration.map { .init(whole: whole, path: $0) } : nil)
        }
        // What goes from one model to one other starts at the published one.
        let isPair = method.base == .required && method.models == 1...1
        return try MergedModel(
            method, isPair ? Array(all.dropFirst()) : all,
            base: method.base == .ignored ? nil : isPair ? all[0].model : models.body(models.base),
            settings: isPerTask ? settings.merging(["task": .value(Double(task + 1))]) { $1 } : settings,
            seed: context.configuration.seed, keeping: context.keepsMerged, folder: context.scratch,
            threads: context.threads)
    }
}
