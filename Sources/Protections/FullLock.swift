import Symmetries

/// A random element at every site: what MergeLock does to the channels of heads, permutations of whole heads and experts, and
/// permutations, signed where that is legal, of every MLP's hidden channels and of the residual streams.
struct FullLock: Protection {
    let siteKinds = Set(Site.Kind.allCases)
    let defaultSampler = Sampler.diagonalOrthogonal
    let samplers: [Sampler] = [.diagonalOrthogonal, .conditioned, .orthogonal, .gaussian]
    let summary =
        "mergelock's matrices on every head; permutations of heads, experts, MLP channels and the residual stream"
}
