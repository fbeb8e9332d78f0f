struct AttentionTemplate: Sendable {
    enum Fusion: String, Sendable, CaseIterable {
        /// All queries, then all keys, then all values.
        case stacked
        /// For each key/value head its queries, its key, its value.
        case perGroup = "per_group"
    }

    struct Fused: Sendable {
        let projection: ProjectionTemplate
        let fusion: Fusion
    }

    struct Latent: Sendable {
        let down: ProjectionTemplate
        let norm: NormTemplate
        let rank: DimensionExpression
    }

    struct QueryKeyNorms: Sendable {
        let query: NormTemplate
        let key: NormTemplate
        let scope: QueryKeyNorm.Scope
        let isAfterRotary: Bool
        let condition: Condition
    }

    enum PositionBias: Sendable {
        case alibi(isRounded: Bool)
        case relative(
            tensor: String, buckets: DimensionExpression, distance: DimensionExpression, isBidirectional: Bool)
    }

    struct RotaryChoice: Sendable {
        let name: String
        let condition: Condition
    }

    let query: ProjectionTemplate?
    /// Stands for `query` where there is no latent of queries.
    let directQuery: ProjectionTemplate?
    let key: ProjectionTemplate?
    let value: ProjectionTemplate?
    let fused: Fused?
    /// MLA: keys and values in one map from the latent.
    let keyValue: ProjectionTemplate?
    let output: ProjectionTemplate
    /// Whether each head's queries in `query` are followed by as many channels that gate its output.
    let hasGatedQuery: Bool
    let queryLatent: Latent?
    let queryLatentCondition: Condition
    let keyValueLatent: Latent?
    let heads: DimensionExpression
    let keyValueHeads: DimensionExpression
    let headDimension: DimensionExpression
    let valueHeadDimension: DimensionExpression
    let sharedKeyDimension: DimensionExpression?
    let hidden: DimensionExpression
    let sourceHidden: DimensionExpression
    let readsEncoder: Bool
    let rotary: [RotaryChoice]
    let norm: QueryKeyNorms?
    let isCausal: Condition
    let window: NumberReference?
    let windowCondition: Condition
    let chunk: NumberReference?
    let chunkCondition: Condition
    let scale: NumberReference?
    let softCap: NumberReference?
    let sinks: String?
    let clip: NumberReference?
    let positionBias: PositionBias?
    let positionBiasCondition: Condition
    let temperature: (scale: NumberReference, floor: NumberReference, condition: Condition)?
    let probe: String?

    init(_ fields: inout Fields, stack: StackDefaults, norm style: NormStyle) throws(ArchitectureError) {
        let bias = try fields.condition("bias", default: false)
        query = try fields.projection("query", bias: bias)
        directQuery = try fields.projection("direct_query", bias: bias)
        key = try fields.projection("key", bias: bias)
        value = try fields.projection("value", bias: bias)
        keyValue = try fields.projection("key_value", bias: bias)
        fused = try fields.object("query_key_value") { value throws(ArchitectureError) in
            let fusion: Fusion = try value.choice("fusion")
            return Fused(projection: try ProjectionTemplate(&value, bias: bias), fusion: fusion)
        }
        output = try fields.requiredProjection("output", bias: bias)
        hasGatedQuery = try fields.bool("gated_query", default: false)
        queryLatentCondition = try fields.condition("query_latent_when")
        queryLatent = try Self.latent(&fields, "query_latent", bias, style)
        keyValueLatent = try Self.latent(&fields, "key_value_latent", bias, style)
        let separate = [query, key, value].count { $0 != nil }
        guard separate == 3 || !hasGatedQuery else { throw fields.fault("gated_query") }
        guard
            separate == 3 && fused == nil && keyValue == nil || separate == 0 && fused != nil && keyValue == nil
                || separate == 1 && query != nil && keyValue != nil && keyValueLatent != nil
        else { throw .invalidDescription(family: fields.family, field: fields.path) }
        heads = try fields.expression("heads", default: stack.heads)
        keyValueHeads = try fields.expression("kv_heads", default: stack.keyValueHeads)
        headDimension = try fields.expression("head_dim", default: stack.headDimension)
        valueHeadDimension = try fields.expression("value_head_dim", default: headDimension.text)
        sharedKeyDimension = try fields.optionalExpression("shared_key_dim")
        hidden = stack.hidden
        sourceHidden = try fields.expression("source_hidden", default: stack.hidden.text)
        readsEncoder = try fields.bool("reads_encoder", default: false)
        rotary = try Self.rotary(&fields)
        norm = try fields.object("norm") { value throws(ArchitectureError) in
            let condition = try value.condition("when")
            let scope: QueryKeyNorm.Scope = try value.choice("scope")
            let isAfterRotary = try value.bool("after_rotary", default: false)
            let inner = try NormStyle(&value, standard: style)
            guard let query = try value.norm("query", inner), let key = try value.norm("key", inner) else {
                throw value.fault("query")
            }
            return QueryKeyNorms(
                query: query, key: key, scope: scope, isAfterRotary: isAfterRotary, condition: condition)
        }
        isCausal = fields.has("causal") ? try fields.condition("causal") : stack.isCausal
        window = try fields.number("window")
        windowCondition = try fields.condition("window_when")
        chunk = try fields.number("chunk")
        chunkCondition = try fields.condition("chunk_when")
        scale = try fields.number("scale")
        softCap = try fields.number("soft_cap")
        sinks = try fields.optionalString("sinks")
        clip = try fields.number("clip")
        positionBiasCondition = try fields.condition("position_bias_when")
        positionBias = try fields.object("position_bias") { value throws(ArchitectureError) in
            if let tensor = try value.optionalString("tensor") {
                guard let buckets = try value.optionalExpression("buckets"),
                    let distance = try value.optionalExpression("distance")
                else { throw value.fault("buckets") }
                return .relative(
                    tensor: tensor, buckets: buckets, distance: distance,
                    isBidirectional: try value.bool("bidirectional", default: true))
            }
            guard try value.string("kind") == "alibi" else { throw value.fault("kind") }
            return .alibi(isRounded: try value.bool("rounded", default: false))
        }
        temperature = try fields.object("temperature") { value throws(ArchitectureError) in
            guard let scale = try value.number("scale"), let floor = try value.number("floor") else {
                throw value.fault("scale")
            }
            return (scale: scale, floor: floor, condition: try value.condition("when"))
        }
        probe = try fields.optionalString("probe")
    }

    private static func latent(
        _ fields: inout Fields, _ key: String, _ bias: Condition, _ style: NormStyle
    ) throws(ArchitectureError) -> Latent? {
        try fields.object(key) { value throws(ArchitectureError) in
            guard let norm = try value.norm("norm", style), let rank = try value.optionalExpression("rank") else {
                throw value.fault("norm")
            }
            return Latent(down: try value.requiredProjection("down", bias: bias), norm: norm, rank: rank)
        }
    }

    /// One name, or an object of names with the condition under which each holds.
    private static func rotary(_ fields: inout Fields) throws(ArchitectureError) -> [RotaryChoice] {
        guard let value = fields.take("rotary") else { return [] }
        if let name = value.string {
            guard fields.vocabulary.rotaries.contains(name) else { throw fields.fault("rotary") }
            return [RotaryChoice(name: name, condition: Condition(constant: true))]
        }
        var choices: [RotaryChoice] = []
        for member in value.object?.members ?? [] {
            guard fields.vocabulary.rotaries.contains(member.key), let text = member.value.string,
                let condition = Condition(parsing: text),
                condition.terms.allSatisfy({ fields.vocabulary.flags.contains($0.flag) })
            else { throw fields.fault("rotary") }
            choices.append(RotaryChoice(name: member.key, condition: condition))
        }
        guard !choices.isEmpty else { throw fields.fault("rotary") }
        return choices
    }
}
