import Architectures
import Glibc

/// Chooses experts by what a router's map gives.
struct Router {
    let block: ExpertsBlock
    /// What is added to scores for the choice alone.
    let bias: [Double]?

    /// - Parameters:
    ///   - logits: one for each expert.
    ///   - guide: decisions of another run, of which this is `row`.
    func decide(_ logits: [Double], guide: RoutingGuide?, row: Int) -> RoutingDecisions.Row {
        let scores = scores(logits)
        // Softmax and sigmoid keep the order; without them the margins of small scores are as wide as those of large ones.
        let ranking = bias.map { zip(scores, $0).map { $0 + $1 } } ?? (block.groups > 1 ? scores : logits)
        var outcome = RoutingDecisions.Outcome.agrees
        var candidates = Array(logits.indices)
        var (groups, groupRanking) = (Set<Int>(), [Double]())
        if block.groups > 1 {
            let size = logits.count / block.groups
            groupRanking = groupScores(ranking, size)
            groups = Set(best(Array(0..<block.groups), block.chosenGroups, groupRanking))
            if let guide {
                (groups, outcome) =
                    guide.groups(row, own: groups).map { ($0, $0 == groups ? outcome : .turned) } ?? (
                        groups, .overturned
                    )
            }
            candidates = candidates.filter { groups.contains($0 / size) }
        }
        var experts = best(candidates, block.chosen, ranking)
        if let guide, outcome != .overturned {
            if let chosen = guide.experts(row, own: experts) {
                if Set(chosen) != Set(experts) { (experts, outcome) = (chosen, .turned) }
            } else {
                outcome = .overturned
            }
        }
        return .init(
            ranking: ranking, groupRanking: groupRanking, groups: groups, experts: experts,
            weights: weights(experts, scores), outcome: outcome)
    }

    private func scores(_ logits: [Double]) -> [Double] {
        switch block.scoring {
        case .softmax: softmax(logits)
        case .softmaxOfChosen: logits
        case .sigmoid, .sigmoidOnInput: logits.map { 1 / (1 + exp(-$0)) }
        }
    }

    private func groupScores(_ ranking: [Double], _ size: Int) -> [Double] {
        let counted = block.groupScore == .best ? 1 : 2
        return (0..<block.groups).map { group in
            (group * size..<(group + 1) * size).map { ranking[$0].isNaN ? -.infinity : ranking[$0] }.sorted(by: >)
                .prefix(counted).reduce(0, +)
        }
    }

    private func weights(_ experts: [Int], _ scores: [Double]) -> [Double] {
        var weights = experts.map { scores[$0] }
        if block.scoring == .softmaxOfChosen { weights = softmax(weights) }
        if block.normalizes {
            let sum = max(weights.reduce(0, +) + block.sumOffset, block.leastSum)
            weights = weights.map { $0 / sum }
        }
        return weights.map { $0 * block.scale }
    }

    private func softmax(_ values: [Double]) -> [Double] {
        let top = values.max() ?? 0
        let powers = values.map { exp($0 - top) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    /// The first `count` by value; of equal ones the earlier.
    private func best(_ candidates: [Int], _ count: Int, _ values: [Double]) -> [Int] {
        // NaN goes last: sorting needs an order.
        func rank(_ candidate: Int) -> Double { values[candidate].isNaN ? -.infinity : values[candidate] }
        return Array(candidates.sorted { (rank($0), $1) > (rank($1), $0) }.prefix(count))
    }
}
