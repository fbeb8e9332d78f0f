/// Which layer's tensors and flags an object of a description is about, and what holds where it says nothing.
struct Place {
    /// Stands before the names of tensors.
    var path = ""
    /// Stable path of the block, such as `layers.3.attention`.
    var block = ""
    /// The number that `{layer}` stands for; nil outside of layers.
    var weights: Int?
    /// The layer that flags are asked about.
    var layer: Int?
    var expert: Int?
    /// How many experts may share a tensor.
    var experts = 1
    var head: Int?
    var norm: NormStyle?
    /// Whether maps have biases.
    var bias: Condition = false
    var sizes = Sizes()
    /// Channels of the residual stream.
    var hidden = 1

    /// What blocks of a stack take where they say nothing, as expressions.
    struct Sizes {
        var hidden = "hidden"
        var heads = "heads"
        var keyValueHeads = "heads"
        var headDimension = "hidden / heads"
        var intermediate = "intermediate"
        var isCausal: Condition = false
    }
}

extension Place.Sizes {
    init(_ f: inout Fields) throws(ArchitectureError) {
        let known = f.scope.vocabulary.dimensions
        hidden = try f.expression("hidden", default: "hidden").text
        heads = try f.optionalString("heads") ?? "heads"
        keyValueHeads = try f.optionalString("kv_heads") ?? (known.contains("kv_heads") ? "kv_heads" : heads)
        headDimension =
            try f.optionalString("head_dim") ?? (known.contains("head_dim") ? "head_dim" : "\(hidden) / \(heads)")
        intermediate = try f.optionalString("intermediate") ?? "intermediate"
        isCausal = try f.condition("causal", default: false)
    }
}
