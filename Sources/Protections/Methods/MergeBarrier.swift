extension ProtectionMethod {
    /// MergeBarrier (arXiv 2511.10712): the queries and keys of every head are mirrored along the directions of their
    /// largest energy, pairs of rotary channels whole. It moves weights far; as the directions can be read off the result, it hides nothing.
    /// Where that is asked for, the activations of MLPs are published as polynomials (`Polynomials`), which approximates.
    public static let mergebarrier = ProtectionMethod(
        name: "mergebarrier",
        summary:
            "mirrors the queries and keys of every head along their directions of largest energy",
        reference: "2511.10712", siteKinds: [.queryKey], statesPolynomials: true,
        parameters: [.reflected, .order], samplers: .reflection)
}
