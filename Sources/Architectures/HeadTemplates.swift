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
