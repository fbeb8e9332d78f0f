import Architectures
import Evaluation
import Merging

extension MergeTrial {
    /// How a body whose linear maps route among all models does on every task, with the head that is published and the other experts' own.
    ///
    /// - Throws: `MergeError`.
    func routedScores(_ aligned: AlignedModel, _ context: AuditContext) throws -> [ModelEvaluation.Scores] {
        let models = aligned.models
        let routed = try RoutedModel(
            aligned.heads.map(models.body), base: models.body(models.base),
            architecture: Architecture.resolve(models.experts[0].checkpoint), parameters: merge.parameters,
            keeping: context.keepsMerged, threads: context.threads)
        return try routed.checked { body, maps in
            try aligned.heads.enumerated().map { task, head in
                try models.scores(of: body, headedBy: head, on: task, adding: maps)
            }
        }
    }
}
