import ForwardPass

extension RoutingGuide {
    /// Follows decisions whose margin rounding could turn. Only the original and what rounding noise does to its own router at that
    /// place say what that is: for each row the largest change that noise makes in the difference of two rankings, or the root mean
    /// square of it over rows where that is larger, by the tolerance's multiple.
    init(_ decisions: RoutingDecisions, noisy: [RoutingDecisions], tolerance: Comparison.DriftTolerance) {
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
        self.init(decisions, ties: Array(zip(ties(\.ranking), ties(\.groupRanking))))
    }
}
