import Symmetries

/// MergeLock (arXiv 2509.01548): per head, independent random invertible matrices on queries and keys and on values and
/// outputs; the MLP is left alone. Under rotary embeddings the matrices on queries and keys are the torus that commutes with
/// them, under a q/k-norm what that leaves: signs, and scale between the two gains.
struct MergeLock: Protection {
    let siteKinds: Set<Site.Kind> = [.queryKey, .queryKeyGain, .valueOutput]
    let defaultSampler = Sampler.diagonalOrthogonal
    let samplers: [Sampler] = [.diagonalOrthogonal, .conditioned, .orthogonal, .gaussian]
    let summary = "random invertible matrices on every head's queries and keys, values and outputs"
}
