/// What blocks of a stack take where they say nothing.
struct StackDefaults: Sendable {
    let hidden: DimensionExpression
    let heads: String
    let keyValueHeads: String
    let headDimension: String
    let intermediate: String
    let isCausal: Condition

    init(_ fields: inout Fields) throws(ArchitectureError) {
        hidden = try fields.expression("hidden", default: "hidden")
        heads = try fields.optionalString("heads") ?? "heads"
        keyValueHeads =
            try fields.optionalString("kv_heads")
            ?? (fields.vocabulary.dimensions.contains("kv_heads") ? "kv_heads" : heads)
        headDimension =
            try fields.optionalString("head_dim")
            ?? (fields.vocabulary.dimensions.contains("head_dim") ? "head_dim" : "\(hidden.text) / \(heads)")
        intermediate = try fields.optionalString("intermediate") ?? "intermediate"
        isCausal = try fields.condition("causal", default: false)
    }
}

struct StackTemplate: Sendable {
    let name: String
    /// Without this the model lacks the stack: a checkpoint of the encoder alone.
    let condition: Condition
    let hidden: DimensionExpression
    let layers: DimensionExpression
    /// How many sets of weights the layers share; as many as layers unless said otherwise.
    let distinctLayers: DimensionExpression
    let embedding: EmbeddingTemplate
    let isParallel: Condition
    let sublayers: [SublayerTemplate]
    let finalNorm: NormTemplate?
    let finalProjection: ProjectionTemplate?
    let finalProjectionSize: DimensionExpression?

    init(_ name: String, _ fields: inout Fields, norm: NormStyle) throws(ArchitectureError) {
        self.name = name
        condition = try fields.condition("when")
        let norm =
            try fields.object("norm") { value throws(ArchitectureError) in
                try NormStyle(&value, standard: norm)
            } ?? norm
        let defaults = try StackDefaults(&fields)
        hidden = defaults.hidden
        layers = try fields.expression("layers", default: "layers")
        distinctLayers = try fields.expression("distinct_layers", default: layers.text)
        isParallel = try fields.condition("parallel", default: false)
        let embedding = try fields.object("embedding") { value throws(ArchitectureError) in
            try EmbeddingTemplate(&value, hidden: defaults.hidden, norm: norm)
        }
        guard let embedding else { throw fields.fault("embedding") }
        self.embedding = embedding
        let path = try fields.optionalString("path") ?? ""
        // What a family adds to another's layers would stand behind them.
        let order = try fields.optionalStrings("order") ?? []
        let named = try fields.dictionary("layer") { name, value throws(ArchitectureError) in
            try SublayerTemplate(name, &value, path: path, stack: defaults, norm: norm)
        }.map(\.value)
        sublayers = order.isEmpty ? named : order.compactMap { name in named.first { $0.name == name } }
        guard sublayers.count == named.count else { throw fields.fault("order") }
        guard !sublayers.isEmpty else { throw fields.fault("layer") }
        finalNorm = try fields.norm("final_norm", norm)
        finalProjectionSize = try fields.optionalExpression("final_projection_size")
        finalProjection = try fields.projection("final_projection", bias: Condition(constant: false))
    }
}

struct SublayerTemplate: Sendable {
    enum Operation: Sendable {
        case attention(AttentionTemplate)
        case mlp(MLPTemplate)
        case experts(ExpertsTemplate)
        case opaque(OpaqueSublayerTemplate)
    }

    let name: String
    /// Stands before every tensor's name.
    let path: String
    let condition: Condition
    let operation: Operation
    /// The first whose condition holds.
    let before: [NormTemplate]
    let after: NormTemplate?
    let residual: NormTemplate?
    let scale: String?
    let multiplier: NumberReference?

    init(
        _ name: String, _ fields: inout Fields, path: String, stack: StackDefaults, norm: NormStyle
    ) throws(ArchitectureError) {
        self.name = name
        self.path = path
        condition = try fields.condition("when")
        before = try fields.norms("before", norm)
        after = try fields.norm("after", norm)
        residual = try fields.norm("residual_norm", norm)
        scale = try fields.optionalString("layer_scale")
        multiplier = try fields.number("multiplier")
        if fields.has("opaque") {
            operation = .opaque(try OpaqueSublayerTemplate(&fields))
        } else if fields.has("router") {
            operation = .experts(try ExpertsTemplate(&fields, stack: stack))
        } else if fields.has("down") {
            operation = .mlp(try MLPTemplate(&fields, stack: stack))
        } else {
            operation = .attention(try AttentionTemplate(&fields, stack: stack, norm: norm))
        }
    }
}
