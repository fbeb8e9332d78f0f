/// A place of a forward pass whose activations can be asked for.
///
/// Spelled, as `Architecture.activationPoint(spelled:path:)` reads it: `decoder.embedding`, `layers.3.attention`, `decoder.states`; with
/// several stacks a block's name begins with its stack's. A stored linear map by its tensor's name, and what it reads:
/// `model.layers.3.mlp.up_proj.weight`, `model.layers.3.mlp.up_proj.weight.input`; with `.0` … behind the tensor for experts that share one.
public enum ActivationPoint: Sendable, Hashable {
    /// The residual stream as a stack's embedding leaves it.
    case embedding(stack: String)
    /// The residual stream behind a block of a layer, by the block's name in the family's description: `attention`, `mlp` …
    case block(stack: String, layer: Int, name: String)
    /// What a stack ends with, behind its last norm.
    case states(stack: String)
    /// What a stored linear map reads: rows of x in y = x·Wᵀ + b.
    case input(of: StoredMap)
    /// What it computes: rows of y, all outputs of the stored tensor, before any activation or cap.
    case output(of: StoredMap)

    /// The linear map of one stored tensor, or of one expert's part of it: rows are then the positions that are routed to it.
    public struct StoredMap: Sendable, Hashable {
        public let tensor: String
        /// Where several experts share the tensor.
        public let expert: Int?

        public init(_ tensor: String, expert: Int? = nil) {
            self.tensor = tensor
            self.expert = expert
        }
    }
}
