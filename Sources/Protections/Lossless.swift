import Symmetries

/// Exact elements on the channels of every head and MLP: signed permutations, powers of two and quarter turns. Bits move and
/// nothing is rounded, so the original comes back bit for bit.
struct Lossless: Protection {
    let siteKinds: Set<Site.Kind> = [.queryKey, .queryKeyGain, .valueOutput, .mlp]
    let defaultSampler = Sampler.exact
    let samplers: [Sampler] = [.exact]
    let summary = "signed permutations, powers of two and quarter turns at every attention and MLP site"
}
