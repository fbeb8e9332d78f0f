import Checkpoints

/// How the norms of a family work unless one says otherwise.
struct NormStyle: Sendable {
    let kind: Norm.Kind
    let epsilon: NumberReference
    let gainOffset: Double
    let hasGain: Bool
    let bias: Condition

    init(_ fields: inout Fields) throws(ArchitectureError) {
        kind = try fields.choice("kind")
        guard let epsilon = try fields.number("epsilon") else { throw fields.fault("epsilon") }
        self.epsilon = epsilon
        gainOffset = try fields.double("gain_offset", default: 0)
        hasGain = try fields.bool("gain", default: true)
        bias = try fields.condition("bias", default: kind == .layer)
    }

    /// The same with what `fields` say about themselves.
    init(_ fields: inout Fields, standard: NormStyle) throws(ArchitectureError) {
        kind = try fields.choice("kind", default: standard.kind)
        epsilon = try fields.number("epsilon") ?? standard.epsilon
        gainOffset = try fields.double("gain_offset", default: standard.gainOffset)
        hasGain = try fields.bool("gain", default: standard.hasGain)
        bias = fields.has("bias") ? try fields.condition("bias") : standard.bias
    }
}

struct NormTemplate: Sendable {
    /// Without ".weight"; nil where nothing is stored. `{head}` stands for the head's number.
    let tensor: String?
    let style: NormStyle
    let condition: Condition
    let isPrefixed: Bool

    init(_ fields: inout Fields, norm: NormStyle) throws(ArchitectureError) {
        style = try NormStyle(&fields, standard: norm)
        tensor = try fields.optionalString("tensor")
        guard tensor != nil || !style.hasGain else { throw fields.fault("tensor") }
        condition = try fields.condition("when")
        isPrefixed = try fields.bool("prefixed", default: true)
    }
}

extension Fields {
    mutating func norm(_ key: String, _ norm: NormStyle) throws(ArchitectureError) -> NormTemplate? {
        try shorthand(key, "tensor") { value throws(ArchitectureError) in try NormTemplate(&value, norm: norm) }
    }

    /// Norms of which the first whose condition holds is meant.
    mutating func norms(_ key: String, _ norm: NormStyle) throws(ArchitectureError) -> [NormTemplate] {
        try shorthands(key, "tensor") { value throws(ArchitectureError) in try NormTemplate(&value, norm: norm) }
    }

    mutating func projection(
        _ key: String, bias: Condition
    ) throws(ArchitectureError) -> ProjectionTemplate? {
        try shorthand(key, "tensor") { value throws(ArchitectureError) in
            try ProjectionTemplate(&value, bias: bias)
        }
    }

    mutating func requiredProjection(_ key: String, bias: Condition) throws(ArchitectureError) -> ProjectionTemplate {
        guard let projection = try projection(key, bias: bias) else { throw fault(key) }
        return projection
    }
}

enum ActivationTemplate: Sendable {
    /// The family's, as its description says where the config names it.
    case family
    case fixed(Activation)
    /// Named by the first of some config keys.
    case config(keys: [String], standard: String)
}

extension Fields {
    /// "config" for the family's, a name, or an object with keys of its own.
    mutating func activation(_ key: String) throws(ArchitectureError) -> ActivationTemplate? {
        guard let value = take(key) else { return nil }
        guard let name = value.string else {
            return try object(key, value) { value throws(ArchitectureError) in
                .config(keys: try value.strings("keys"), standard: try value.string("default"))
            }
        }
        if name == "config" { return .family }
        guard let activation = Activation(rawValue: name) else { throw fault(key) }
        return .fixed(activation)
    }
}

struct ProjectionTemplate: Sendable {
    let weight: String
    let biasName: String
    let bias: Condition
    /// Stored as (in, out) instead of (out, in).
    let isTransposed: Bool
    /// All experts in one tensor with a further axis in front.
    let isStacked: Bool
    let isPrefixed: Bool
    let condition: Condition

    init(_ fields: inout Fields, bias: Condition) throws(ArchitectureError) {
        // "c_attn" is short for "c_attn.weight" and "c_attn.bias".
        if let tensor = try fields.optionalString("tensor") {
            weight = tensor + ".weight"
            biasName = tensor + ".bias"
        } else {
            weight = try fields.string("weight")
            biasName = try fields.optionalString("bias_tensor") ?? weight + "_bias"
        }
        self.bias = fields.has("bias") ? try fields.condition("bias") : bias
        isTransposed = try fields.bool("transposed", default: false)
        isStacked = try fields.bool("stacked", default: false)
        isPrefixed = try fields.bool("prefixed", default: true)
        condition = try fields.condition("when")
    }
}

struct RotaryTemplate: Sendable {
    let layout: ChannelLayout
    let dimensions: DimensionExpression
    /// The share of `dimensions` that is rotated.
    let fraction: NumberReference?
    let offset: DimensionExpression
    let thetaKeys: [String]
    let theta: Double
    /// The member of `rope_parameters` that holds for these layers, where that has one per kind of layer.
    let section: String?
    let scaling: [String]
    /// Whether version 4's `rope_scaling` concerns these layers.
    let readsScaling: Bool
    /// What stands for the config's settings where it has none.
    let settings: JSONValue?
    /// Whether scores are multiplied by (0.1·mscale_all_dim·ln(factor) + 1)² where the settings say so (DeepSeek-V3).
    let scalesScores: Bool

    init(_ fields: inout Fields) throws(ArchitectureError) {
        layout = try fields.choice("layout")
        dimensions = try fields.expression("dimensions", default: "head_dim")
        fraction = try fields.number("fraction")
        offset = try fields.expression("offset", default: "0")
        thetaKeys = try fields.optionalStrings("theta_keys") ?? ["rope_theta"]
        theta = try fields.double("theta", default: 10000)
        section = try fields.optionalString("section")
        scaling = try fields.strings("scaling")
        readsScaling = try fields.bool("reads_scaling", default: true)
        settings = fields.take("settings")
        guard settings == nil || settings?.object != nil else { throw fields.fault("settings") }
        scalesScores = try fields.bool("scales_scores", default: false)
    }
}

struct AttentionTemplate: Sendable {
    enum Fusion: String, Sendable {
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
        /// One stored gain per head, named with `{head}`.
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
    let isCausal: Bool
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
        queryLatentCondition = try fields.condition("query_latent_when")
        queryLatent = try Self.latent(&fields, "query_latent", bias, style)
        keyValueLatent = try Self.latent(&fields, "key_value_latent", bias, style)
        let separate = [query, key, value].count { $0 != nil }
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
        isCausal = try fields.bool("causal", default: stack.isCausal)
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

struct MLPTemplate: Sendable {
    enum Fusion: String, Sendable {
        /// All gates, then all ups.
        case stacked
        /// Gate, up, gate, up …
        case alternating
    }

    let gate: ProjectionTemplate?
    let up: ProjectionTemplate?
    let gateUp: (projection: ProjectionTemplate, fusion: Fusion)?
    let down: ProjectionTemplate
    let intermediate: DimensionExpression
    let hidden: DimensionExpression
    let activation: ActivationTemplate
    let clamp: (limit: NumberReference, alpha: NumberReference)?

    init(_ fields: inout Fields, stack: StackDefaults) throws(ArchitectureError) {
        let bias = try fields.condition("bias", default: false)
        gate = try fields.projection("gate", bias: bias)
        up = try fields.projection("up", bias: bias)
        gateUp = try fields.object("gate_up") { value throws(ArchitectureError) in
            let fusion: Fusion = try value.choice("fusion", default: .stacked)
            return (projection: try ProjectionTemplate(&value, bias: bias), fusion: fusion)
        }
        guard (up == nil) != (gateUp == nil), gate == nil || gateUp == nil else { throw fields.fault("up") }
        down = try fields.requiredProjection("down", bias: bias)
        intermediate = try fields.expression("intermediate", default: stack.intermediate)
        hidden = stack.hidden
        activation = try fields.activation("activation") ?? .family
        clamp = try fields.object("clamp") { value throws(ArchitectureError) in
            guard let limit = try value.number("limit"), let alpha = try value.number("alpha") else {
                throw value.fault("limit")
            }
            return (limit: limit, alpha: alpha)
        }
    }
}

struct ExpertsTemplate: Sendable {
    let router: ProjectionTemplate
    let scoring: ExpertsBlock.Scoring
    let choiceBias: String?
    let count: DimensionExpression
    let chosen: DimensionExpression
    let groups: DimensionExpression
    let chosenGroups: DimensionExpression
    let normalizes: Condition
    let scale: NumberReference?
    let expert: MLPTemplate
    let shared: MLPTemplate?
    let sharedGate: ProjectionTemplate?

    init(_ fields: inout Fields, stack: StackDefaults) throws(ArchitectureError) {
        router = try fields.requiredProjection("router", bias: Condition(constant: false))
        scoring = try fields.choice("scoring")
        choiceBias = try fields.optionalString("choice_bias")
        count = try fields.expression("count", default: "experts")
        chosen = try fields.expression("chosen", default: "chosen_experts")
        groups = try fields.expression("groups", default: "1")
        chosenGroups = try fields.expression("chosen_groups", default: "1")
        normalizes = try fields.condition("normalizes", default: false)
        scale = try fields.number("scale")
        let expert = try fields.object("expert") { value throws(ArchitectureError) in
            try MLPTemplate(&value, stack: stack)
        }
        guard let expert else { throw fields.fault("expert") }
        self.expert = expert
        shared = try fields.object("shared") { value throws(ArchitectureError) in try MLPTemplate(&value, stack: stack)
        }
        sharedGate = try fields.projection("shared_gate", bias: Condition(constant: false))
    }
}
