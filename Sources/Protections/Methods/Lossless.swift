extension ProtectionMethod {
    /// Exact elements on the channels of every head and MLP: signed permutations, powers of two and quarter turns. Bits move and
    /// nothing is rounded, so the original comes back bit for bit.
    public static let lossless = ProtectionMethod(
        name: "lossless",
        summary: "signed permutations, powers of two and quarter turns at every attention and MLP site",
        siteKinds: [.queryKey, .queryKeyGain, .valueOutput, .mlp], samplers: .exact)
}
