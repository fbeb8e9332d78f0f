/// What rounding noise does to a quantity, from several draws of the noise.
struct NoiseLevel: Sendable {
    /// Root mean square over the draws.
    let level: Double
    /// Standard deviation over the draws; 0 of one.
    let spread: Double

    init(_ draws: [Double]) {
        let count = Double(max(draws.count, 1))
        let mean = draws.reduce(0, +) / count
        level = (draws.reduce(0) { $0 + $1 * $1 } / count).squareRoot()
        spread = (draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(count - 1, 1)).squareRoot()
    }

    /// Where few numbers make up a quantity, one draw of it may lie well above the level.
    var high: Double { level + 2 * spread }
}
