import Alignment
import Checkpoints
import Evaluation
import Foundations
import Merging
import Verification

/// A published model as an attacker merges it: aligned to the base, or as it is.
struct AlignedModel {
    let checkpoint: Checkpoint
    let models: AuditModels
    private let seconds: Double

    /// What is said of it before anything is merged.
    struct Findings: Codable {
        let seconds, displacement: Double
        let alone: AuditResults.Scores
        let barriers: [AuditResults.Barrier]
        /// Of what needs no merge, on the audited model's own task with the aligned head.
        let singles: [Double]
    }

    /// What is merged, and whose heads the tasks are scored with.
    var heads: [Checkpoint] { [checkpoint] + models.experts.dropFirst().map(\.checkpoint) }

    /// Where it lies, and merges of circuits.
    static func path(_ context: AuditContext) -> String { context.path("aligned") }

    /// - Parameter method: nil for the published model as it is.
    init(_ published: PublishedModel, by method: AlignmentMethod?, _ context: AuditContext) throws {
        models = published.models
        guard let method else {
            (checkpoint, seconds) = (published.checkpoint, 0)
            return
        }
        let path = Self.path(context)
        FileTree.remove(path)
        let aligner = Aligner(
            method, calibration: method.takesCalibration ? context.calibration : nil, threads: context.threads)
        let time = try ContinuousClock().measure {
            try aligner.align(published.checkpoint, to: published.models.base, writing: path)
        }
        (checkpoint, seconds) = (try Checkpoint(opening: path), time / .seconds(1))
    }

    func findings(_ context: AuditContext) throws -> Findings {
        let singles = try SingleBody.all(models, context.configuration).enumerated().map { number, single in
            number == 0 ? 0 : try single.scores(models, headedBy: checkpoint, on: 0).accuracy
        }
        return Findings(
            seconds: seconds,
            displacement: try Displacement(from: context.model, to: checkpoint, threads: context.threads).all,
            alone: context.scale.scores(try models.scores(ofWhole: checkpoint, own: 0)),
            barriers: try models.experts.indices.dropFirst().compactMap { try barrier(to: $0, context) },
            singles: singles)
    }

    /// Along the straight path to another model, on the audited model's task and that one's; nil where models on the way can't be made or say nothing.
    private func barrier(to number: Int, _ context: AuditContext) throws -> AuditResults.Barrier? {
        let path = LossPath(points: context.configuration.barrierPoints)
        guard path.alphas.count > 1 else { return nil }
        let other = models.experts[number]
        let losses = try Attempt {
            try path.alphas.map { alpha in
                try MergedModel(
                    .linear,
                    [
                        .init(models.body(checkpoint), settings: ["weight": .value(1 - alpha)]),
                        .init(models.body(other.checkpoint), settings: ["weight": .value(alpha)]),
                    ], base: nil, keeping: context.keepsMerged, threads: context.threads
                ).checked { body in
                    let first = try models.scores(of: body, headedBy: checkpoint, on: 0)
                    let second = try models.scores(of: body, headedBy: other.checkpoint, on: number)
                    return (first.loss + second.loss) / 2
                }
            }
        }
        return losses.found.map {
            .init(other: other.name, alphas: path.alphas, losses: $0, height: path.barrier(of: $0))
        }
    }
}
