extension ProtectionMethod {
    /// The attention part of MergeBarrier (arXiv 2511.10712): the queries and keys of every head are mirrored along the directions of their
    /// largest energy, pairs of rotary channels whole. It moves weights far; as the directions can be read off the result, it hides nothing.
    public static let mergebarrier = ProtectionMethod(
        name: "mergebarrier",
        summary:
            "mirrors the queries and keys of every head along their directions of largest energy",
        reference: "2511.10712", siteKinds: [.queryKey], parameters: [.reflected], samplers: .reflection)
}
