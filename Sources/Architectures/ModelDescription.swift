import Checkpoints
import Foundations

/// What a family's JSON file states: names, shapes and roles of its tensors, the blocks that they form, and what is computed
/// with them.
package struct ModelDescription: Sendable {
    /// A number of the model: from the first config key that is there, else from an expression over earlier dimensions.
    package struct Dimension: Sendable {
        package let name: String
        package let keys: [String]
        /// Where no key is there.
        package let fallback: DimensionExpression?
        /// Where a key is there and null; the same as `fallback` unless the description says otherwise.
        let nullFallback: DimensionExpression?
        let minimum: Int
        /// Keys that, where they are there, must state the same value.
        let checks: [String]
        /// Whether the keys hold lists or strings of letters, whose length is the number.
        let isLength: Bool
        /// Where one of these keys is there, transformers reads that in its place, and whatever stands here is not looked at.
        let unless: [String]
    }

    /// A real number: from the config, else the fallback, which may be an expression over dimensions; then raised to a power.
    package struct Number: Sendable {
        package let keys: [String]
        package let literal: Double?
        let fallback: DimensionExpression?
        let power: Double
        /// Whether null in the config means that there is no such number, rather than the fallback.
        let isNullable: Bool
        /// Without this the number is absent.
        let condition: Condition
        /// Keys that transformers does not read here, and that must say the same where they are there.
        let checks: [String]
    }

    /// Something that is so or not, for the whole model or for each layer.
    package struct Flag: Sendable {
        package enum Source: Sendable {
            /// A boolean of the config.
            case bool(default: Bool)
            /// Whether a config value is one of some.
            case oneOf([JSONValue], default: Bool)
            /// Whether a config value is there and not null; or the default, where nothing is there.
            case present(default: Bool)
            /// Whether two dimensions differ.
            case differ(DimensionExpression, DimensionExpression)
            /// Whether a tensor is there.
            case tensor(String)
            /// Whether the layer's entry of a config list is one of some.
            case listed([JSONValue])
            /// Whether the layer's letter in a config string is one of some (Nemotron-H).
            case letters([String])
            /// Whether the layer's entry is one of some in a list that the config writes as parts with counts.
            case repeated([JSONValue])
            /// Whether a config list holds the layer's number.
            case index
            /// layer % period == remainder: the last of each period where there is none.
            case every(DimensionExpression, remainder: DimensionExpression?)
            /// From this layer on.
            case from(DimensionExpression)
        }
        package let key: String
        /// The first whose config key is there decides.
        package let sources: [Source]
        /// Keys that, where they are there, must state what the flag is.
        let checks: [String]

        var readsConfig: Bool {
            sources.contains { source in
                switch source {
                case .bool, .oneOf, .present, .listed, .letters, .repeated, .index: true
                case .differ, .tensor, .every, .from: false
                }
            }
        }
    }

    /// Token ids that mean something to a head; nil where the family has none unless the config names it.
    package struct SpecialTokens: Sendable {
        package var padding: Int?
        var end: Int?
        var decoderStart: Int?
        /// A decoder without tokens of its own starts with the encoder's last, whatever the config says.
        var startsWithLast = false
    }

    struct Refusal: Sendable {
        let key: String
        /// Anything else is refused, unless nil.
        let accepted: [JSONValue]?
        let refused: [JSONValue]
        let reason: String
        /// Where this does not hold, nothing is refused.
        let condition: Condition
    }

    /// A model type that is close to this family but not described, and what to do about it.
    struct RefusedType: Sendable {
        let modelType: String
        let reason: String
    }

    /// A tensor beside those that blocks name.
    struct Tensor: Sendable {
        enum Presence: Sendable { case required, optional }
        /// Canonical name; `{layer}` stands for the layer's number.
        let name: String
        let role: String
        /// Nil where the shape is not checked; a nil axis may have any extent.
        let shape: [DimensionExpression?]?
        let presence: Presence
        let condition: Condition
        /// Whether the model's prefix stands before the stored name.
        let isPrefixed: Bool
        let layers: DimensionExpression?
    }

    /// Layers that a checkpoint may hold beyond the model's own.
    struct CopiedLayers: Sendable {
        /// What their tensors' names begin with; `{layer}` stands for the layer's number.
        let path: String
        let first: DimensionExpression
        let count: DimensionExpression
        let role: String
        let reason: String
        /// Whether the model's prefix stands before the stored names.
        let isPrefixed: Bool
    }

    /// The member of config.json that holds the language model's configuration, beside those of towers.
    package struct TextPart: Sendable {
        package let key: String
        /// Those that the member may name; the first is that of its defaults.
        package let modelTypes: [String]
        /// Whether older files have its members in config.json itself.
        let mayBeWhole: Bool
        /// Whether transformers takes `tie_word_embeddings` from it where config.json itself says nothing.
        let forwardsTie: Bool
    }

    package let family: String
    package let modelTypes: [String]
    package let text: TextPart?
    /// Parts that are copied and not understood.
    let opaque: [OpaqueTemplate]
    /// Whether config values tell it from other descriptions of its model types.
    package var isConditional: Bool { !match.isEmpty || text != nil }
    /// Config values that tell this description from others of the same model type.
    let match: [(key: String, accepted: [JSONValue])]
    let refusedTypes: [RefusedType]
    let prefixes: [String]
    let aliases: [(from: String, to: String)]
    package let dimensions: [Dimension]
    package let numbers: [String: Number]
    package let flags: [String: Flag]
    package let activationKeys: [String]
    package let activationDefault: String
    /// Keys that, where they are there, must name the same activation.
    let activationChecks: [String]
    package let rotaries: [String: RotaryTemplate]
    let refusals: [Refusal]
    let stacks: [StackTemplate]
    let language: LanguageTemplate?
    let classifiers: [ClassifierTemplate]
    let contrastive: ContrastiveTemplate?
    /// Whether some head reads the last token that is no padding.
    package var readsLastToken: Bool { classifiers.contains { $0.pooling == .last } }
    package let tiedHeadDefault: Bool
    /// Ids that stand for what the config does not say.
    package let specialTokens: SpecialTokens
    let tensors: [Tensor]
    /// Layers beside those that are described, copied as they are.
    let copied: [CopiedLayers]
    /// The same family under other names or with tensors fused in another way, as some version of transformers stores it.
    let layouts: [ModelDescription]
    /// Every key of config.json that the description mentions, or ignores because transformers does in the case described; those of the
    /// language model behind the name of its part.
    package let configKeys: Set<String>
}
