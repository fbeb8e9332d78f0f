import Checkpoints
import Evaluation
import Merging

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
            .taskArithmetic, [.init(other, settings: ["weight": .value(coefficient)])], base: base, keeping: false,
            threads: models.threads
        ).checked { try models.scores(of: $0, headedBy: model, on: task) }
    }
}
