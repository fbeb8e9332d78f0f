/// Decisions of a router in another run, to be followed where they are ties: a choice among experts is discontinuous, so that runs
/// which differ by rounding alone can be compared under the same decisions only.
struct RoutingGuide: Sendable {
    let decisions: RoutingDecisions
    /// For each row the differences of two experts', and of two groups', rankings that count as ties.
    private let ties: [(experts: Double, groups: Double)]

    private init(_ decisions: RoutingDecisions, ties: [(experts: Double, groups: Double)]) {
        (self.decisions, self.ties) = (decisions, ties)
    }

    /// The same for a router whose expert e is what expert `order[e]` was.
    func arranged(_ order: [Int]) -> RoutingGuide { RoutingGuide(decisions.arranged(order), ties: ties) }

    /// Follows every decision.
    init(following decisions: RoutingDecisions) {
        self.decisions = decisions
        ties = decisions.rows.map { _ in (.infinity, .infinity) }
    }

    /// Follows decisions whose margin rounding could turn. Only the original and what rounding noise does to its own router at that
    /// place say what that is: for each row the largest change that noise makes in the difference of two rankings, or the root mean
    /// square of it over rows where that is larger, by the tolerance's multiple.
    init(_ decisions: RoutingDecisions, noisy: [RoutingDecisions], tolerance: Comparison.Tolerance) {
        self.decisions = decisions
        func ties(_ ranking: (RoutingDecisions.Row) -> [Double]) -> [Double] {
            let changes = decisions.rows.indices.map { row in
                noisy.reduce(0.0) { largest, twin in
                    let change = zip(ranking(twin.rows[row]), ranking(decisions.rows[row])).map { $0 - $1 }
                    return max(largest, (change.max() ?? 0) - (change.min() ?? 0))
                }
            }
            let mean = (changes.reduce(0) { $0 + $1 * $1 } / Double(max(changes.count, 1))).squareRoot()
            return zip(decisions.rows, changes).map { row, change in
                let size = ranking(row).reduce(0) { max($0, $1.magnitude) }
                let noise = tolerance.multiple * max(change, mean)
                return (noise.isFinite ? noise : 0) + tolerance.absolute * size
            }
        }
        self.ties = Array(zip(ties(\.ranking), ties(\.groupRanking)))
    }

    /// The groups to use in a row where the router itself chose `own`; nil where that is another decision by more than rounding.
    func groups(_ row: Int, own: Set<Int>) -> Set<Int>? {
        let chosen = decisions.rows[row].groups
        return isTie(chosen, own, decisions.rows[row].groupRanking, ties[row].groups) ? chosen : nil
    }

    /// The experts to use in a row, likewise.
    func experts(_ row: Int, own: [Int]) -> [Int]? {
        let chosen = decisions.rows[row].experts
        return isTie(Set(chosen), Set(own), decisions.rows[row].ranking, ties[row].experts) ? chosen : nil
    }

    /// Whether what was chosen in place of the others leads them, in the guide's own ranking, by no more than a tie.
    private func isTie(_ chosen: Set<Int>, _ own: Set<Int>, _ ranking: [Double], _ tie: Double) -> Bool {
        if chosen == own { return true }
        let best = chosen.subtracting(own).map { ranking[$0] }.max() ?? 0
        let worst = own.subtracting(chosen).map { ranking[$0] }.min() ?? 0
        return best - worst <= tie
    }
}
