import Checkpoints

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
        /// Anything else is refused.
        let accepted: [JSONValue]
        let reason: String
        /// Where this does not hold, nothing is refused.
        let condition: Condition
    }

    /// A model type that is close to this family but not described, and what to do about it.
    struct RefusedType: Sendable {
        let modelType: String
        let reason: String
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

    /// A part that is copied and not understood.
    struct OpaqueKind: Sendable {
        let name: String
        let reason: String
        /// What the stored names of a tower's tensors begin with, one or another; empty where the part consists of sublayers.
        let tensors: [String]
        /// Keys of config.json that bear on this part alone: whatever they say is copied.
        let keys: [String]
    }

    package let family: String
    package let modelTypes: [String]
    package let text: TextPart?
    /// Parts that are copied and not understood.
    let opaque: [OpaqueKind]
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
    package let rotaries: [String: RotaryKind]
    let refusals: [Refusal]
    package let tiedHeadDefault: Bool
    /// Ids that stand for what the config does not say.
    package let specialTokens: SpecialTokens
    /// How norms work unless one says otherwise.
    let norm: NormStyle
    /// Stacks, heads and further tensors, which are read for the model at hand.
    let body: JSONValue
    /// What the body may refer to.
    let vocabulary: Vocabulary
    /// The same family under other names or with tensors fused in another way, as some version of transformers stores it.
    let layouts: [ModelDescription]
    /// Every key of config.json that the description mentions, or ignores because transformers does in the case described; those of the
    /// language model behind the name of its part.
    package let configKeys: Set<String>
}
