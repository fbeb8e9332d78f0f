import Checkpoints
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

    /// The merged body of bodies.
    ///
    /// - Parameters:
    ///   - task: the one that is rebuilt, where the method rebuilds one.
    ///   - keeping: whether what was made stays in memory.
    /// - Throws: `MergeError`.
    func merged(
        _ published: Checkpoint, _ others: [Checkpoint], base: Checkpoint, task: Int, seed: UInt64, keeping: Bool,
        threads: Int?
    ) throws -> MergedModel {
        let method = merge.method
        func weighted(_ weight: Double?) -> MergeConfiguration.Settings { weight.map { ["weight": .value($0)] } ?? [:] }
        let first = (model: published, settings: weighted(protected))
        let rest = others.map { (model: $0, settings: weighted(self.others)) }
        // What goes from one model to one other starts at the published one.
        let isPair = method.base == .required && method.models == 1...1
        return try MergedModel(
            method, isPair ? rest : [first] + rest, base: isPair ? published : method.base == .ignored ? nil : base,
            settings: isPerTask ? settings.merging(["task": .value(Double(task + 1))]) { $1 } : settings, seed: seed,
            keeping: keeping, threads: threads)
    }
}
