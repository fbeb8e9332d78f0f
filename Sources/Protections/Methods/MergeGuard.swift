extension ProtectionMethod {
    /// The second stage of MergeGuard (arXiv 2511.11851): the most important entries of the task vector are taken out of every matrix of attention and
    /// MLP layers, by |τ'|, or by |τ'| times the norm of activations where calibration data is given. The model is another one afterwards; its first stage, which spreads importance, is training.
    public static let mergeguard = ProtectionMethod(
        name: "mergeguard",
        summary: "takes the most important entries of the task vector out again, given the base; changes the function",
        reference: "2511.11851", parameters: [.masked, .beta], change: Masking())
}
