import Symmetries

extension ProtectionMethod {
    /// A random element at every site: what MergeLock does to the channels of heads, permutations of whole heads and experts, and
    /// permutations, signed where that is legal, of every MLP's hidden channels and of the residual streams.
    public static let full = ProtectionMethod(
        name: "full",
        summary:
            "mergelock's matrices on every head; permutations of heads, experts, MLP channels and the residual stream",
        siteKinds: Set(Site.Kind.allCases), samplers: .diagonalOrthogonal, .conditioned, .orthogonal, .gaussian)
}
