/// What a router decided, row by row.
package struct RoutingDecisions: Sendable {
    package struct Row: Sendable {
        /// What experts are ranked by.
        package let ranking: [Double]
        /// What groups of experts are ranked by; empty where experts have no groups.
        package let groupRanking: [Double]
        let groups: Set<Int>
        let experts: [Int]
        /// The share of each of `experts`.
        let weights: [Double]
        let outcome: Outcome
    }

    /// How a decision stands to the guide's.
    package enum Outcome: Sendable {
        /// It is the same, or there is no guide.
        case agrees
        /// The router chose otherwise, by a margin that is rounding: the guide's choice stands.
        case turned
        /// The router chose otherwise, by a margin that is no rounding: its own choice stands.
        case overturned
    }

    package let rows: [Row]

    package func count(_ outcome: Outcome) -> Int { rows.count { $0.outcome == outcome } }

    /// For each expert the rows that it works on, and its share in them.
    func assignments(experts: Int) -> [[(row: Int, weight: Double)]] {
        var result = [[(row: Int, weight: Double)]](repeating: [], count: experts)
        for (number, row) in rows.enumerated() {
            for (expert, weight) in zip(row.experts, row.weights) { result[expert].append((number, weight)) }
        }
        return result
    }

    /// ‖r' - r‖ / ‖r‖ over the rankings r of all experts, infinite where another's are not finite.
    package func distance(to other: RoutingDecisions) -> Double {
        var sum = RelativeDistance()
        for (a, b) in zip(rows, other.rows) {
            for (x, y) in zip(a.ranking, b.ranking) { sum.add(x, y) }
        }
        return sum.value
    }
}
