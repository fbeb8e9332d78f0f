extension ProtectionMethod {
    /// MergeLock (arXiv 2509.01548): per head, independent random invertible matrices on queries and keys and on values and
    /// outputs; the MLP is left alone. Under rotary embeddings the matrices on queries and keys are the torus that commutes with
    /// them, under a q/k-norm what that leaves: signs, and scale between the two gains.
    public static let mergelock = ProtectionMethod(
        name: "mergelock", summary: "random invertible matrices on every head's queries and keys, values and outputs",
        reference: "2509.01548", siteKinds: [.queryKey, .queryKeyGain, .valueOutput],
        samplers: .diagonalOrthogonal, .conditioned, .orthogonal, .gaussian)
}
