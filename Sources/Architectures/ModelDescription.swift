import Checkpoints

/// What a family's JSON file states: names, shapes and roles of its tensors, and the blocks that they form.
struct ModelDescription: Sendable, Equatable {
    /// A number of the model: from the first config key that is there, else from an expression over earlier dimensions.
    struct Dimension: Sendable, Equatable {
        let name: String
        let keys: [String]
        let fallback: DimensionExpression?
    }

    enum Presence: Sendable, Equatable {
        case required, optional
        /// Required when the config's flag is true, forbidden otherwise.
        case whenFlag(String)
    }

    struct Tensor: Sendable, Equatable {
        /// Canonical name; `{layer}` stands for the layer's number, a final `*` for any rest.
        let name: String
        let role: String
        /// Nil where the shape is not checked; an axis of `*` may have any extent.
        let shape: [String]?
        let presence: Presence
        let isPrefixed: Bool

        var isPerLayer: Bool { name.contains("{layer}") }
    }

    struct ProjectionTemplate: Sendable, Equatable {
        let tensor: String
        let outputAxis: Int
        let offset: DimensionExpression
    }

    struct Rotary: Sendable, Equatable {
        let layout: ChannelLayout
        let dimensions: DimensionExpression
        let scaling: [String]
    }

    struct Refusal: Sendable, Equatable {
        let key: String
        let accepted: [JSONValue]
        let reason: String
    }

    struct NormTemplate: Sendable, Equatable {
        let query: String
        let key: String
        let scope: QueryKeyNorm.Scope
    }

    let family: String
    let modelTypes: [String]
    let prefixes: [String]
    let aliases: [(from: String, to: String)]
    let dimensions: [Dimension]
    /// Defaults of the config's flags that `when` refers to; a flag not listed is false when absent.
    let flags: [String: Bool]
    let activationKeys: [String]
    let activationDefault: String
    let rotary: Rotary?
    let refusals: [Refusal]
    let attention: [String: ProjectionTemplate]
    let norm: NormTemplate?
    let mlp: [String: ProjectionTemplate]
    let tiedHeadDefault: Bool
    let tensors: [Tensor]

    static func == (a: ModelDescription, b: ModelDescription) -> Bool { a.family == b.family && a.tensors == b.tensors }
}
