/// What an audit measured, as results.json holds it.
///
/// Accuracies and losses are lists with one value for each task, in the order of `tasks`: the model's own first. Utility is the mean over the tasks of
/// accuracy divided by the accuracy of the task's own expert.
public struct AuditResults: Codable, Sendable, Equatable {
    /// Of this format.
    public var version = 1
    /// Paths as the configuration names them.
    public let base, model: String
    public let seed: UInt64
    public let tasks: [Task]
    /// Which tensors are heads, and are not merged: every task is scored with its own expert's.
    public let heads: [String]
    /// What needs no merge: every expert alone, and the base with a share of the other experts' task vectors, scored on all tasks with their own heads.
    public let singles: [Single]
    /// The mean of the unprotected experts' class probabilities: what a merge can hope for.
    public let ensemble: Scores
    public let protections: [Protection]

    enum CodingKeys: String, CodingKey { case version, base, model, seed, tasks, heads, singles, ensemble, protections }

    package init(
        base: String, model: String, seed: UInt64, tasks: [Task], heads: [String], singles: [Single], ensemble: Scores,
        protections: [Protection]
    ) {
        (self.base, self.model, self.seed, self.tasks, self.heads) = (base, model, seed, tasks, heads)
        (self.singles, self.ensemble, self.protections) = (singles, ensemble, protections)
    }

    public struct Task: Codable, Sendable, Equatable {
        public let name, expert: String
        public let examples: Int
        /// What is counted: examples, or next tokens.
        public let unit: String
        /// Of the task's own expert, and of the base with that expert's head.
        public let accuracy, loss, baseAccuracy: Double

        package init(
            name: String, expert: String, examples: Int, unit: String, accuracy: Double, loss: Double,
            baseAccuracy: Double
        ) {
            (self.name, self.expert, self.examples, self.unit, self.accuracy, self.loss, self.baseAccuracy) = (
                name, expert, examples, unit, accuracy, loss, baseAccuracy
            )
        }

        enum CodingKeys: String, CodingKey {
            case name, expert, examples, unit, accuracy, loss
            case baseAccuracy = "base_accuracy"
        }
    }

    /// One value for each task.
    public struct Scores: Codable, Sendable, Equatable {
        public let accuracies, losses: [Double]
        public let utility: Double

        package init(accuracies: [Double], losses: [Double], utility: Double) {
            (self.accuracies, self.losses, self.utility) = (accuracies, losses, utility)
        }
    }

    public struct Single: Codable, Sendable, Equatable {
        public let name: String
        public let scores: Scores

        package init(name: String, scores: Scores) {
            (self.name, self.scores) = (name, scores)
        }
    }

    /// One protection, and what attackers make of it.
    public struct Protection: Codable, Sendable, Equatable {
        /// Its chain of methods, `none`, or the name of a model that was protected elsewhere.
        public let name: String
        /// What publishing so costs; nil for `none` and for models that were protected elsewhere.
        public let cost: Cost?
        /// The published model by itself.
        public let alone: Scores
        /// ‖θ_p - θ‖ / ‖θ‖ between the published model's weights and the model's.
        public let displacement: Double
        /// The largest utility of what needs no merge once this model is published: the published model alone, or one of `singles` but the model itself.
        public let baseline: Baseline
        public let attacks: [Attack]
        /// The candidate with the largest utility among all attacks and merges that give the weights of one model; nil where nothing could be merged.
        public let worst: Worst?
        /// The same among merges that keep every model.
        public let worstPerTask: Worst?

        enum CodingKeys: String, CodingKey {
            case name, cost, alone, displacement, baseline, attacks, worst
            case worstPerTask = "worst_per_task"
        }

        package init(
            name: String, cost: Cost?, alone: Scores, displacement: Double, baseline: Baseline, attacks: [Attack]
        ) {
            (self.name, self.cost, self.alone, self.displacement) = (name, cost, alone, displacement)
            (self.baseline, self.attacks) = (baseline, attacks)
            worst = Worst(among: attacks, over: baseline) { !$0.isPerTask }
            worstPerTask = Worst(among: attacks, over: baseline, where: \.isPerTask)
        }
    }

    public struct Cost: Codable, Sendable, Equatable {
        /// Of protecting, and of copying the same files with sync.
        public let seconds, copySeconds: Double
        /// ‖y_p - y‖ / ‖y‖ over the outputs on the model's own task.
        public let outputChange: Double
        /// Whether the weights alone prove that the locked model computes what its weights computed before the lock; nil where no lock acts.
        public let sameFunctionByWeights: Bool?

        package init(seconds: Double, copySeconds: Double, outputChange: Double, sameFunctionByWeights: Bool?) {
            (self.seconds, self.copySeconds, self.outputChange, self.sameFunctionByWeights) = (
                seconds, copySeconds, outputChange, sameFunctionByWeights
            )
        }

        enum CodingKeys: String, CodingKey {
            case seconds
            case copySeconds = "copy_seconds"
            case outputChange = "output_change"
            case sameFunctionByWeights = "same_function_by_weights"
        }
    }

    public struct Baseline: Codable, Sendable, Equatable {
        public let name: String
        public let utility: Double

        package init(name: String, utility: Double) {
            (self.name, self.utility) = (name, utility)
        }
    }

    /// One way to align the published model to the base before it is merged.
    public struct Attack: Codable, Sendable, Equatable {
        /// `none`, or the method.
        public let name: String
        public let seconds: Double
        /// ‖θ_a - θ‖ / ‖θ‖ of the aligned model: 0 where the lock is undone.
        public let displacement: Double
        /// The aligned model by itself.
        public let alone: Scores
        public let barriers: [Barrier]
        public let merges: [Merge]
        /// Why the attack gave nothing; then all else is empty.
        public let failure: String?

        package init(
            name: String, seconds: Double, displacement: Double, alone: Scores, barriers: [Barrier], merges: [Merge],
            failure: String?
        ) {
            (self.name, self.seconds, self.displacement, self.alone, self.barriers, self.merges, self.failure) = (
                name, seconds, displacement, alone, barriers, merges, failure
            )
        }
    }

    /// Mean loss over the tasks along (1 - α)·aligned + α·other.
    public struct Barrier: Codable, Sendable, Equatable {
        public let other: String
        public let alphas, losses: [Double]
        /// The largest difference between the path and its chord.
        public let height: Double

        package init(other: String, alphas: [Double], losses: [Double], height: Double) {
            (self.other, self.alphas, self.losses, self.height) = (other, alphas, losses, height)
        }
    }

    public struct Merge: Codable, Sendable, Equatable {
        /// The method with its parameters.
        public let name: String
        /// Whether it keeps every model: each task has a merged model of its own, or every token chooses among all. That is as good as keeping several
        /// models side by side.
        public let isPerTask: Bool
        public let candidates: [Candidate]
        /// Why the method gave nothing; then there are no candidates.
        public let failure: String?

        enum CodingKeys: String, CodingKey {
            case name
            case isPerTask = "per_task"
            case candidates, failure
        }

        package init(name: String, isPerTask: Bool, candidates: [Candidate], failure: String?) {
            (self.name, self.isPerTask, self.candidates, self.failure) = (name, isPerTask, candidates, failure)
        }

        /// The candidate with the largest utility.
        public var best: Candidate? {
            candidates.filter(\.scores.utility.isFinite).max { $0.scores.utility < $1.scores.utility }
        }
    }

    /// One merge that was evaluated.
    public struct Candidate: Codable, Sendable, Equatable {
        /// The coefficient of the protected model, and of each of the others; nil where the method takes none.
        public let protected, others: Double?
        public let scores: Scores

        package init(protected: Double?, others: Double?, scores: Scores) {
            (self.protected, self.others, self.scores) = (protected, others, scores)
        }
    }

    public struct Worst: Codable, Sendable, Equatable {
        public let attack, merge: String
        public let candidate: Candidate
        /// Its utility less the baseline's: merging brings something where this is positive.
        public let advantage: Double

        package init(attack: String, merge: String, candidate: Candidate, advantage: Double) {
            (self.attack, self.merge, self.candidate, self.advantage) = (attack, merge, candidate, advantage)
        }

        /// The largest of some merges; of equal ones the first.
        init?(among attacks: [Attack], over baseline: Baseline, where isMeant: (Merge) -> Bool) {
            let all = attacks.flatMap { attack in
                attack.merges.filter(isMeant).compactMap { merge in merge.best.map { (attack.name, merge.name, $0) } }
            }
            guard let best = all.max(by: { $0.2.scores.utility < $1.2.scores.utility }) else { return nil }
            (attack, merge, candidate) = best
            advantage = candidate.scores.utility - baseline.utility
        }
    }
}
