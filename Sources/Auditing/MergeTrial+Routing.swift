import Architectures
import Checkpoints
import Evaluation
import Merging

extension MergeTrial {
    /// How a body whose linear maps route among all models does on every task, with the head that is published and the other experts' own.
    ///
    /// - Throws: `MergeError`.
    func routedScores(
        _ published: Checkpoint, _ models: AuditModels, keeping: Bool
    ) throws -> [ModelEvaluation.Scores] {
        let others = models.experts.dropFirst().map(\.checkpoint)
        let routed = try RoutedModel(
            ([published] + others).map(models.body), base: models.body(models.base),
            architecture: Architecture.resolve(models.experts[0].checkpoint), parameters: merge.parameters,
            keeping: keeping, threads: models.threads)
        return try routed.checked { body, maps in
            try ([published] + others).enumerated().map { task, head in
                try models.scores(of: body, headedBy: head, on: task, adding: maps)
            }
        }
    }
}
