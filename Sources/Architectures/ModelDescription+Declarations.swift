import Checkpoints
import Foundations

/// What a description declares, for its blocks and for itself to refer to.
extension ModelDescription {
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

        /// It may refer to those before it.
        init(_ name: String, _ f: inout Fields) throws(ArchitectureError) {
            self.name = name
            let lengths = try f.optionalStrings("lengths")
            let listed = try f.optionalStrings("keys")
            let fixed = try f.optionalExpression("value")
            let standard = try f.optionalExpression("default")
            let null = try f.optionalExpression("null")
            // Either read from the config or derived, not both, not neither.
            guard (lengths ?? listed == nil) == (fixed != nil), fixed == nil || (standard == nil && null == nil) else {
                throw f.fault
            }
            keys = lengths ?? listed ?? []
            isLength = lengths != nil
            fallback = fixed ?? standard
            nullFallback = null ?? fallback
            minimum = try f.int("minimum") ?? 1
            checks = try f.optionalStrings("checks") ?? []
            unless = try f.optionalStrings("unless") ?? []
            f.scope.vocabulary.dimensions.insert(name)
        }
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

        init(_: String, _ f: inout Fields) throws(ArchitectureError) {
            keys = try f.optionalStrings("keys") ?? []
            literal = f.look("default")?.double
            fallback = try literal == nil ? f.optionalExpression("default") : nil
            _ = f.take("default")
            power = try f.double("power") ?? 1
            isNullable = try f.bool("nullable", default: false)
            condition = try f.condition("when")
            checks = try f.optionalStrings("checks") ?? []
        }
    }

    struct Refusal: Sendable {
        let key: String
        /// Anything else is refused.
        let accepted: [JSONValue]
        let reason: String
        /// Where this does not hold, nothing is refused.
        let condition: Condition

        init(_ f: inout Fields) throws(ArchitectureError) {
            accepted = try f.required(try f.values("accepted"), "accepted")
            key = try f.string("key")
            reason = try f.string("reason")
            condition = try f.condition("when")
        }
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

        init(_ f: inout Fields) throws(ArchitectureError) {
            key = try f.string("key")
            modelTypes = try f.strings("model_types")
            guard !modelTypes.isEmpty else { throw f.fault("model_types") }
            mayBeWhole = try f.bool("may_be_whole", default: false)
            forwardsTie = try f.bool("forwards_tie", default: false)
        }
    }

    /// A part that is copied and not understood.
    struct OpaqueKind: Sendable {
        let name: String
        let reason: String
        /// What the stored names of a tower's tensors begin with, one or another; empty where the part consists of sublayers.
        let tensors: [String]
        /// Keys of config.json that bear on this part alone: whatever they say is copied.
        let keys: [String]

        init(_ f: inout Fields) throws(ArchitectureError) {
            name = try f.string("name")
            reason = try f.string("reason")
            tensors = try f.optionalStrings("tensors") ?? []
            guard tensors.allSatisfy({ $0.hasSuffix(".") }) else { throw f.fault("tensors") }
            keys = try f.optionalStrings("keys") ?? []
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
}

extension ModelDescription.SpecialTokens {
    init(_ f: inout Fields) throws(ArchitectureError) {
        self.init(
            padding: try f.int("padding"), end: try f.int("end"), decoderStart: try f.int("decoder_start"),
            startsWithLast: try f.bool("decoder_starts_with_last", default: false))
    }
}
