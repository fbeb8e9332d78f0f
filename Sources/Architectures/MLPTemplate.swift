struct MLPTemplate: Sendable {
    enum Fusion: String, Sendable, CaseIterable {
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
    let choiceBias: (name: String, shape: [DimensionExpression])?
    let count: DimensionExpression
    let chosen: DimensionExpression
    let groups: DimensionExpression
    let chosenGroups: DimensionExpression
    let groupScore: ExpertsBlock.GroupScore
    let normalizes: Condition
    let sumOffset: NumberReference?
    let leastSum: NumberReference?
    let scale: NumberReference?
    let expert: MLPTemplate
    let shared: MLPTemplate?
    let sharedCondition: Condition
    let sharedGate: ProjectionTemplate?

    init(_ fields: inout Fields, stack: StackDefaults) throws(ArchitectureError) {
        router = try fields.requiredProjection("router", bias: Condition(constant: false))
        scoring = try fields.choice("scoring")
        let count = try fields.expression("count", default: "experts")
        self.count = count
        choiceBias = try fields.shorthand("choice_bias", "name") { value throws(ArchitectureError) in
            var shape: [DimensionExpression] = []
            for axis in try value.optionalStrings("shape") ?? [count.text] {
                shape.append(try value.expression(axis, "shape"))
            }
            return (name: try value.string("name"), shape: shape)
        }
        chosen = try fields.expression("chosen", default: "chosen_experts")
        groups = try fields.expression("groups", default: "1")
        chosenGroups = try fields.expression("chosen_groups", default: "1")
        groupScore = try fields.choice("group_score", default: .sumOfBestTwo)
        normalizes = try fields.condition("normalizes", default: false)
        sumOffset = try fields.number("sum_offset")
        leastSum = try fields.number("least_sum")
        scale = try fields.number("scale")
        let expert = try fields.object("expert") { value throws(ArchitectureError) in
            try MLPTemplate(&value, stack: stack)
        }
        guard let expert else { throw fields.fault("expert") }
        self.expert = expert
        shared = try fields.object("shared") { value throws(ArchitectureError) in try MLPTemplate(&value, stack: stack)
        }
        sharedCondition = try fields.condition("shared_when")
        sharedGate = try fields.projection("shared_gate", bias: Condition(constant: false))
    }
}
