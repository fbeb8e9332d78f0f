import Checkpoints

/// What rounding alone explains.
struct Tolerance: Sendable {
    /// Relative errors up to this are rounding.
    let relative: Double
    /// Magnitudes below this are rounded absolutely, not relatively.
    let floor: Double

    /// - Parameters:
    ///   - types: the element types that a site's weights are stored in; the coarsest counts.
    ///   - roundingMultiple: what the elements' conditioning costs, as a manifest declares it.
    init(types: some Sequence<ElementType>, roundingMultiple: Double) {
        let roundoff = types.compactMap(\.unitRoundoff).max() ?? 0
        // Both factors of an invariant are rounded, each by at most u; the largest of many columns stays below 8 u.
        // What a manifest claims widens this, but an error of a tenth is no rounding whatever it claims.
        relative = min(max(8 * roundoff * max(roundingMultiple, 1), 1e-12), 0.1)
        floor = types.compactMap(\.leastNormalMagnitude).max() ?? 0
    }
}
