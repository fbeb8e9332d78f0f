import Checkpoints

/// What rounding alone explains.
struct Tolerance: Sendable {
    /// Relative errors up to this are rounding.
    let relative: Double
    /// Magnitudes below this are rounded absolutely, not relatively.
    let floor: Double

    /// - Parameters:
    ///   - types: the element types that a site's weights are stored in; the coarsest counts.
    ///   - blur: what else is not known of the weights as they are looked at, in roundoffs; no more than 4 count.
    init(types: some Sequence<ElementType>, blur: Double = 0) {
        let roundoff = types.compactMap(\.unitRoundoff).max() ?? 0
        // Both factors of an invariant are rounded, each by at most u and by 0.4 u in the mean; the largest of many columns stays
        // below 3 u.
        relative = max(4 * roundoff, 1e-12) * (1 + min(blur, 4) * min(blur, 4)).squareRoot()
        floor = types.compactMap(\.leastNormalMagnitude).max() ?? 0
    }

    /// Nothing is proved of what is not finite: that counts as infinitely wrong.
    static func relative(_ error: Double, to scale: Double) -> Double {
        guard error.isFinite, scale.isFinite else { return .infinity }
        return scale > 0 ? error / scale : error > 0 ? .infinity : 0
    }
}
