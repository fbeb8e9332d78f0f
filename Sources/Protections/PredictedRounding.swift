import Checkpoints
import Rewriting
import Symmetries

/// What rounding will cost, read from a model's weights before anything is drawn, and the powers of two that keep it low.
///
/// The same weights, sites, sampler and condition give the same prediction: whoever has the original can hold a manifest against it.
public struct PredictedRounding: Sendable {
    /// By site, for those that are balanced: one exponent per channel (`Group.balancingExponents`).
    public let exponents: [String: [Int]]
    /// By site: the expected cost of rounding, in multiples of rounding the original's weights once more.
    public let multiples: [String: Double]

    /// Reads the weights that it needs.
    public init(_ sites: [Site], in original: Checkpoint, steps: ProtectionSteps, threads: Int? = nil) throws {
        let powers = try steps.isExact ? nil : WeightPowers(of: sites, in: original, threads: threads)
        let other = try PredictedRounding(sites, powers: powers, laws: steps.laws)
        exponents = other.exponents
        let biases = sites.compactMap { site in
            TurnedBias.worst(at: site, in: original).map { (site.path, max(1, $0.multiple)) }
        }
        multiples = other.multiples.merging(biases) { _, own in own }
    }

    /// - Parameters:
    ///   - powers: of at least these sites' weights; nil where elements are exact and nothing is rounded.
    ///   - laws: how elements at a site are drawn.
    public init(_ sites: [Site], powers: WeightPowers?, laws: (Site) -> [DrawLaw]) throws {
        var exponents: [String: [Int]] = [:]
        var multiples: [String: Double] = [:]
        var known = KnownMultiples()
        for site in sites {
            let laws = laws(site)
            let expected = try known.expected(site.group, laws)
            guard laws.contains(where: { $0.sampler != .exact }), let own = powers?.powers(of: site) else {
                multiples[site.path] = expected
                continue
            }
            let found = site.group.balancingExponents(laws, powers: own)
            if !found.isEmpty { exponents[site.path] = found }
            multiples[site.path] = site.group.roundingMultiple(
                laws, powers: own, exponents: found, expected: expected)
        }
        self.exponents = exponents
        self.multiples = multiples
    }

    /// At the site where it is largest, to a tenth, as a prediction is no better and every machine is to find the same; 1 at least.
    public var multiple: Double { max(1, (10 * (multiples.values.max() ?? 1)).rounded() / 10) }
}

/// What chains of laws are expected to cost, which takes draws to tell.
private struct KnownMultiples {
    private var known: [(group: Group, laws: [DrawLaw], multiple: Double)] = []

    mutating func expected(_ group: Group, _ laws: [DrawLaw]) throws -> Double {
        guard laws.count > 1 else { return try group.expectedRoundingMultiple(laws) }
        if let found = known.last(where: { $0.group == group && $0.laws == laws }) { return found.multiple }
        let multiple = try group.expectedRoundingMultiple(laws)
        known.append((group, laws, multiple))
        return multiple
    }
}
