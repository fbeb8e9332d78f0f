import Checkpoints
import Foundations

/// What a family's JSON file states: names, shapes and roles of its tensors, the blocks that they form, and what is computed
/// with them.
package struct ModelDescription: Sendable {
    package let family: String
    package let modelTypes: [String]
    package let text: TextPart?
    /// Parts that are copied and not understood.
    let opaque: [OpaqueKind]
    /// Whether config values tell it from other descriptions of its model types.
    package var isConditional: Bool { !match.isEmpty || text != nil }
    /// Config values that tell this description from others of the same model type.
    let match: [(key: String, accepted: [JSONValue])]
    /// Model types that are close to this family but not described, and what to do about them.
    let refusedTypes: [(modelType: String, reason: String)]
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
