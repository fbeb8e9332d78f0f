/// How norms work unless one says otherwise.
struct NormStyle: Sendable {
    let kind: Norm.Kind
    let epsilon: NumberReference
    let gainOffset: Double
    let hasGain: Bool
    let bias: Condition

    /// What an object says of its norms, and for the rest what holds around it.
    init(_ f: inout Fields) throws(ArchitectureError) {
        let standard = f.place.norm
        kind = try f.word("kind", default: standard?.kind)
        epsilon = try f.required(try f.reference("epsilon") ?? standard?.epsilon, "epsilon")
        gainOffset = try f.double("gain_offset") ?? standard?.gainOffset ?? 0
        hasGain = try f.bool("gain", default: standard?.hasGain ?? true)
        bias = try f.condition("bias", default: standard?.bias ?? Condition(booleanLiteral: kind == .layer))
    }
}

extension Norm {
    /// Nil where it need not be stored and is not; what is stored of it is claimed in any case.
    init?(
        _ f: inout Fields, _ shape: [Int?], role: String = "norm", isOptional: Bool = false
    ) throws(ArchitectureError) {
        let style = try NormStyle(&f)
        kind = style.kind
        gainOffset = style.gainOffset
        let tensor = try f.optionalString("tensor")
        let isPrefixed = try f.bool("prefixed", default: true)
        let epsilon = try f.scope.subject == nil ? 0 : f.number(style.epsilon, in: .nonNegative)
        guard let epsilon else { throw .invalidDescription(family: f.scope.family, field: "norm.epsilon") }
        self.epsilon = epsilon
        guard let tensor, style.hasGain else {
            guard tensor != nil || !style.hasGain else { throw f.fault("tensor") }
            (weight, bias) = (nil, nil)
            return
        }
        func part(_ ending: String) -> Claims.Demand {
            f.demand(tensor + ending, role, shape, isPrefixed: isPrefixed)
        }
        guard isOptional else {
            weight = try f.require(part(".weight"))
            bias = try f.holds(style.bias) ? f.require(part(".bias")) : nil
            return
        }
        let found = (weight: try f.find(part(".weight")), bias: try f.find(part(".bias")))
        let hasBias = try f.holds(style.bias)
        guard found.weight != nil, !hasBias || found.bias != nil else { return nil }
        (weight, bias) = (found.weight, hasBias ? found.bias : nil)
    }
}

extension Fields {
    mutating func norm(_ key: String, _ shape: [Int], role: String = "norm") throws(ArchitectureError) -> Norm? {
        try choice(key, "tensor") { f throws(ArchitectureError) in try Norm(&f, shape, role: role) }
    }
}
