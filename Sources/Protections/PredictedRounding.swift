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
    public init(
        _ sites: [Site], in original: Checkpoint, sampler: Sampler, condition: Double, threads: Int? = nil
    ) throws {
        let powers = try sampler == .exact ? nil : WeightPowers(of: sites, in: original, threads: threads)
        let other = PredictedRounding(sites, powers: powers, sampler: sampler, condition: condition)
        exponents = other.exponents
        let biases = sites.compactMap { site in
            TurnedBias.worst(at: site, in: original).map { (site.path, max(1, $0.multiple)) }
        }
        multiples = other.multiples.merging(biases) { _, own in own }
    }

    /// - Parameter powers: of at least these sites' weights; nil where elements are exact and nothing is rounded.
    public init(_ sites: [Site], powers: WeightPowers?, sampler: Sampler, condition: Double) {
        var exponents: [String: [Int]] = [:]
        var multiples: [String: Double] = [:]
        for site in sites {
            guard sampler != .exact, let own = powers?.powers(of: site) else {
                multiples[site.path] = site.group.expectedRoundingMultiple(sampler, condition: condition)
                continue
            }
            let found = site.group.balancingExponents(sampler, condition: condition, powers: own)
            if !found.isEmpty { exponents[site.path] = found }
            multiples[site.path] = site.group.roundingMultiple(
                sampler, condition: condition, powers: own, exponents: found)
        }
        self.exponents = exponents
        self.multiples = multiples
    }

    /// At the site where it is largest, to a tenth, as a prediction is no better and every machine is to find the same; 1 at least.
    public var multiple: Double { max(1, (10 * (multiples.values.max() ?? 1)).rounded() / 10) }
}
