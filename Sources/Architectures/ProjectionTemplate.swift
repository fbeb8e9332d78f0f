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

enum ActivationTemplate: Sendable {
    /// The family's, as its description says where the config names it.
    case family
    case fixed(Activation)
    /// Named by the first of some config keys.
    case config(keys: [String], standard: String)
}

extension Fields {
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
