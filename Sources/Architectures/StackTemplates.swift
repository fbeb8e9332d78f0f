import Checkpoints

/// What blocks of a stack take where they say nothing.
struct StackDefaults: Sendable {
    let hidden: DimensionExpression
    let heads: String
    let keyValueHeads: String
    let headDimension: String
    let intermediate: String
    let isCausal: Bool

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
        isCausal = try fields.bool("causal", default: false)
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
        sublayers = try fields.dictionary("layer") { name, value throws(ArchitectureError) in
            try SublayerTemplate(name, &value, path: path, stack: defaults, norm: norm)
        }.map(\.value)
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
        if fields.has("router") {
            operation = .experts(try ExpertsTemplate(&fields, stack: stack))
        } else if fields.has("down") {
            operation = .mlp(try MLPTemplate(&fields, stack: stack))
        } else {
            operation = .attention(try AttentionTemplate(&fields, stack: stack, norm: norm))
        }
    }
}

enum EmbeddingTemplate: Sendable {
    struct Tokens: Sendable {
        /// The first that is there.
        let tokens: [String]
        let vocabulary: DimensionExpression
        let size: DimensionExpression
        let hidden: DimensionExpression
        let positions: String?
        let positionRows: DimensionExpression?
        let positionOffset: DimensionExpression
        let types: String?
        let typeRows: DimensionExpression?
        let multiplier: NumberReference?
        let norm: NormTemplate?
        let projection: ProjectionTemplate?
        let projectsBeforePositions: Bool
    }

    struct Patches: Sendable {
        let projection: ProjectionTemplate
        let hidden: DimensionExpression
        let channels: DimensionExpression
        let image: DimensionExpression
        let patch: DimensionExpression
        /// Names and shapes.
        let leading: [(name: String, shape: [DimensionExpression])]
        let positions: String?
        let positionShape: [DimensionExpression]
        let norm: NormTemplate?
    }

    struct Audio: Sendable {
        let first: ProjectionTemplate
        let second: ProjectionTemplate
        let hidden: DimensionExpression
        let bins: DimensionExpression
        let positions: String
        let positionRows: DimensionExpression
    }

    case tokens(Tokens)
    case patches(Patches)
    case audio(Audio)

    init(_ fields: inout Fields, hidden: DimensionExpression, norm: NormStyle) throws(ArchitectureError) {
        if fields.has("patches") {
            self = .patches(try Patches(&fields, hidden: hidden, norm: norm))
        } else if fields.has("first") {
            self = .audio(try Audio(&fields, hidden: hidden))
        } else {
            self = .tokens(try Tokens(&fields, hidden: hidden, norm: norm))
        }
    }
}

extension EmbeddingTemplate.Tokens {
    init(_ fields: inout Fields, hidden: DimensionExpression, norm: NormStyle) throws(ArchitectureError) {
        tokens = try fields.strings("tokens")
        vocabulary = try fields.expression("vocabulary", default: "vocab")
        size = try fields.expression("size", default: hidden.text)
        self.hidden = hidden
        positions = try fields.optionalString("positions")
        positionRows = positions == nil ? nil : try fields.expression("position_rows", default: "positions")
        positionOffset = try fields.expression("position_offset", default: "0")
        types = try fields.optionalString("types")
        typeRows = types == nil ? nil : try fields.expression("type_rows", default: "types")
        multiplier = try fields.number("multiplier")
        self.norm = try fields.norm("norm", norm)
        projection = try fields.projection("projection", bias: Condition(constant: true))
        projectsBeforePositions = try fields.bool("projects_before_positions", default: false)
    }
}

extension EmbeddingTemplate.Patches {
    init(_ fields: inout Fields, hidden: DimensionExpression, norm: NormStyle) throws(ArchitectureError) {
        projection = try fields.requiredProjection("patches", bias: Condition(constant: true))
        self.hidden = hidden
        channels = try fields.expression("channels", default: "channels")
        image = try fields.expression("image", default: "image")
        patch = try fields.expression("patch", default: "patch")
        func shape(_ fields: inout Fields) throws(ArchitectureError) -> [DimensionExpression] {
            var shape: [DimensionExpression] = []
            for axis in try fields.strings("shape") { shape.append(try fields.expression(axis, "shape")) }
            return shape
        }
        leading = try fields.objects("leading") { value throws(ArchitectureError) in
            (name: try value.string("name"), shape: try shape(&value))
        }
        let table = try fields.object("positions") { value throws(ArchitectureError) in
            (name: try value.string("name"), shape: try shape(&value))
        }
        positions = table?.name
        positionShape = table?.shape ?? []
        self.norm = try fields.norm("norm", norm)
    }
}

extension EmbeddingTemplate.Audio {
    init(_ fields: inout Fields, hidden: DimensionExpression) throws(ArchitectureError) {
        first = try fields.requiredProjection("first", bias: Condition(constant: true))
        second = try fields.requiredProjection("second", bias: Condition(constant: true))
        self.hidden = hidden
        bins = try fields.expression("bins", default: "bins")
        positions = try fields.string("positions")
        positionRows = try fields.expression("position_rows", default: "positions")
    }
}

struct HeadStepTemplate: Sendable {
    let projection: ProjectionTemplate
    /// Nil: any number of outputs.
    let outputs: DimensionExpression?
    let inputs: DimensionExpression
    let activation: ActivationTemplate?
    let norm: NormTemplate?

    init(_ fields: inout Fields, norm style: NormStyle) throws(ArchitectureError) {
        norm = try fields.norm("norm", style)
        activation = try fields.activation("activation")
        inputs = try fields.expression("inputs", default: "hidden")
        outputs = try fields.optionalExpression("outputs")
        projection = try ProjectionTemplate(&fields, bias: Condition(constant: true))
    }
}

struct LanguageTemplate: Sendable {
    let projection: ProjectionTemplate
    let biasAliases: [String]
    let size: DimensionExpression
    let vocabulary: DimensionExpression
    let transform: HeadStepTemplate?
    let multiplier: NumberReference?
    let tiedMultiplier: NumberReference?
    let softCap: NumberReference?
    /// Endings of the config's classes that have this head.
    let classes: [String]

    init(_ fields: inout Fields, norm: NormStyle) throws(ArchitectureError) {
        transform = try fields.object("transform") { value throws(ArchitectureError) in
            try HeadStepTemplate(&value, norm: norm)
        }
        size = try fields.expression("size", default: "hidden")
        vocabulary = try fields.expression("vocabulary", default: "vocab")
        multiplier = try fields.number("multiplier")
        tiedMultiplier = try fields.number("tied_multiplier")
        softCap = try fields.number("soft_cap")
        classes = try fields.optionalStrings("classes") ?? ["ForCausalLM", "LMHeadModel"]
        biasAliases = try fields.optionalStrings("bias_tensors") ?? []
        projection = try ProjectionTemplate(&fields, bias: Condition(constant: false))
    }
}

struct ClassifierTemplate: Sendable {
    let condition: Condition
    let pooling: Classifier.Pooling
    let steps: [HeadStepTemplate]
    /// Endings of the config's classes that have this head.
    let classes: [String]

    init(_ fields: inout Fields, norm: NormStyle) throws(ArchitectureError) {
        classes = try fields.optionalStrings("classes") ?? ["ForSequenceClassification", "ForImageClassification"]
        condition = try fields.condition("when")
        pooling = try fields.choice("pooling")
        steps = try fields.objects("steps") { value throws(ArchitectureError) in
            try HeadStepTemplate(&value, norm: norm)
        }
        guard !steps.isEmpty else { throw fields.fault("steps") }
    }
}

struct ContrastiveTemplate: Sendable {
    struct Tower: Sendable {
        let stack: String
        let pooling: String
        let projection: ProjectionTemplate?
        let inputs: DimensionExpression
        let outputs: DimensionExpression
        let pooler: [SublayerTemplate]
    }

    let text: Tower
    let image: Tower
    let scale: String
    let scaleShape: [DimensionExpression]
    let bias: String?

    init(_ fields: inout Fields, norm: NormStyle) throws(ArchitectureError) {
        func tower(_ key: String) throws(ArchitectureError) -> Tower {
            let tower = try fields.object(key) { value throws(ArchitectureError) in
                let hidden = try value.expression("inputs", default: "hidden")
                let defaults = try value.object("pooler_defaults") { value throws(ArchitectureError) in
                    try StackDefaults(&value)
                }
                let pooler = try value.dictionary("pooler") { name, value throws(ArchitectureError) in
                    guard let defaults else { throw value.fault("pooler_defaults") }
                    return try SublayerTemplate(name, &value, path: "", stack: defaults, norm: norm)
                }.map(\.value)
                let pooling = try value.string("pooling")
                guard ["first", "last", "end_of_text", "attention"].contains(pooling) else {
                    throw value.fault("pooling")
                }
                return Tower(
                    stack: try value.string("stack"), pooling: pooling,
                    projection: try value.projection("projection", bias: Condition(constant: false)), inputs: hidden,
                    outputs: try value.expression("outputs", default: "projection"), pooler: pooler)
            }
            guard let tower else { throw fields.fault(key) }
            return tower
        }
        text = try tower("text")
        image = try tower("image")
        scale = try fields.string("scale")
        var shape: [DimensionExpression] = []
        for axis in try fields.optionalStrings("scale_shape") ?? [] {
            shape.append(try fields.expression(axis, "scale_shape"))
        }
        scaleShape = shape
        bias = try fields.optionalString("bias")
    }
}
