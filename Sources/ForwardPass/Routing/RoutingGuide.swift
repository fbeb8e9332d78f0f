/// Decisions of a router in another run, to be followed where they are ties: a choice among experts is discontinuous, so that runs
/// which differ by rounding alone can be compared under the same decisions only.
package struct RoutingGuide: Sendable {
    package let decisions: RoutingDecisions
    /// For each row the differences of two experts', and of two groups', rankings that count as ties.
    private let ties: [(experts: Double, groups: Double)]

    package init(_ decisions: RoutingDecisions, ties: [(experts: Double, groups: Double)]) {
        (self.decisions, self.ties) = (decisions, ties)
    }

    /// The same for a router whose expert e is what expert `order[e]` was.
    func arranged(_ order: [Int]) -> RoutingGuide { RoutingGuide(decisions.arranged(order), ties: ties) }

    /// Follows every decision.
    package init(following decisions: RoutingDecisions) {
        self.decisions = decisions
        ties = decisions.rows.map { _ in (.infinity, .infinity) }
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
