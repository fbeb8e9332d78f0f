import Symmetries

extension ProtectionMethod {
    /// PaRaMS (arXiv 2503.07661): factors on the channels of heads, with the published ranges, and a uniform permutation of every
    /// MLP's hidden channels. Queries and keys have factors of their own, independent of those of values and outputs. Under rotary
    /// embeddings both members of a pair share theirs. Given the base, every MLP's channels go where they lie farthest from it, and the task
    /// vector may be pruned before.
    public static let params = ProtectionMethod(
        name: "params",
        summary: "random factors on the channels of every head (diagonal, symmetric or not), permuted MLP channels",
        reference: "2503.07661", siteKinds: [.queryKey, .queryKeyGain, .valueOutput, .mlp],
        assignsChannels: true, parameters: [.prune],
        change: (Pruning(), given: .prune), samplers: .diagonal, .symmetric, .nonsymmetric)
}
