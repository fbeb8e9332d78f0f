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
}
