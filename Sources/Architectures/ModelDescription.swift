import Checkpoints

/// What a family's JSON file states: names, shapes and roles of its tensors, and the blocks that they form.
package struct ModelDescription: Sendable {
    /// A number of the model: from the first config key that is there, else from an expression over earlier dimensions.
    struct Dimension: Sendable, Equatable {
        let name: String
        let keys: [String]
        /// Where no key is there.
        let fallback: DimensionExpression?
        /// Where a key is there and null; the same as `fallback` unless the description says otherwise.
        let nullFallback: DimensionExpression?
    }

    enum Presence: Sendable, Equatable {
        case required, optional
        /// Required when the config's `architectures` name a class with one of these endings and no tied head.
        case requiredBy([String])
        /// Required when the config's flag is true, forbidden otherwise.
        case whenFlag(String)
    }

    struct Tensor: Sendable, Equatable {
        /// Canonical name; `{layer}` stands for the layer's number.
        let name: String
        /// One of `knownRoles`.
        let role: String
        /// Nil where the shape is not checked (buffers only); a nil axis may have any extent.
        let shape: [DimensionExpression?]?
        let presence: Presence
        /// Whether the model's prefix stands before the stored name.
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

    /// A model type that is close to this family but not described, and what to do about it.
    struct RefusedType: Sendable, Equatable {
        let modelType: String
        let reason: String
    }

    struct NormTemplate: Sendable, Equatable {
        let query: String
        let key: String
        let scope: QueryKeyNorm.Scope
    }

    static let knownRoles: Set<String> = [
        "token_embedding", "position_embedding", "type_embedding", "class_embedding", "mask_embedding",
        "patch_embedding", "norm", "query", "key", "value", "query_key_value", "output", "query_norm", "key_norm",
        "gate", "up", "down", "pooler", "head", "head_bias", "head_transform", "task_head", "buffer",
    ]

    package let family: String
    package let modelTypes: [String]
    let refusedTypes: [RefusedType]
    let prefixes: [String]
    let aliases: [(from: String, to: String)]
    let dimensions: [Dimension]
    /// The config's flags that `when` refers to, with their defaults.
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
}
