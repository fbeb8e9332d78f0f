import Checkpoints
import Foundations

extension ModelDescription {
    /// Decodes a description, strictly: an unknown, missing or mistyped field and a name that nothing declares are errors
    /// that name the family and the field.
    package init(decoding root: JSONValue, named name: String) throws(ArchitectureError) {
        try self.init(decoding: root, named: name, noting: nil)
    }

    /// - Parameter record: where the keys that are read are noted.
    init(decoding root: JSONValue, named name: String, noting record: DescriptionKeys.Record?) throws(ArchitectureError)
    {
        var fields = try Fields(root, family: name, path: "description", vocabulary: Vocabulary(record: record))
        family = try fields.string("family")
        guard family == name else { throw fields.fault("family") }
        modelTypes = try fields.strings("model_types")
        match = try fields.dictionary("match") { key, value throws(ArchitectureError) in
            guard let accepted = value.take("in")?.array else { throw value.fault("in") }
            return (key: key, accepted: accepted)
        }.map(\.value)
        refusedTypes = try fields.objects("refused_model_types") { value throws(ArchitectureError) in
            RefusedType(modelType: try value.string("model_type"), reason: try value.string("reason"))
        }
        text = try fields.object("text") { value throws(ArchitectureError) in
            TextPart(
                key: try value.string("key"), modelTypes: try value.strings("model_types"),
                mayBeWhole: try value.bool("may_be_whole", default: false),
                forwardsTie: try value.bool("forwards_tie", default: false))
        }
        guard text?.modelTypes.isEmpty != true else { throw fields.fault("text.model_types") }
        opaque = try fields.objects("opaque") { value throws(ArchitectureError) in try OpaqueTemplate(&value) }
        fields.vocabulary.parts = Set(opaque.map(\.name))
        prefixes = try fields.strings("prefixes")
        aliases = try fields.objects("aliases") { value throws(ArchitectureError) in
            (from: try value.string("from"), to: try value.string("to"))
        }
        dimensions = try Self.dimensions(&fields)
        flags = try Self.flags(&fields)
        fields.vocabulary.flags.formUnion(flags.keys)
        numbers = try Self.numbers(&fields)
        fields.vocabulary.numbers = Set(numbers.keys)
        let activation = try fields.object("activation") { value throws(ArchitectureError) in
            (
                try value.optionalStrings("keys") ?? [], try value.string("default"),
                try value.optionalStrings("checks") ?? []
            )
        }
        guard let activation else { throw fields.fault("activation") }
        (activationKeys, activationDefault, activationChecks) = activation
        rotaries = Dictionary(
            uniqueKeysWithValues: try fields.dictionary("rotary") { _, value throws(ArchitectureError) in
                try RotaryTemplate(&value)
            }.map { ($0.name, $0.value) })
        fields.vocabulary.rotaries = Set(rotaries.keys)
        refusals = try fields.objects("refusals") { value throws(ArchitectureError) in
            let accepted = value.take("accepted")?.array
            let refused = value.take("refused")?.array
            guard (accepted == nil) != (refused == nil) else { throw value.fault("accepted") }
            return Refusal(
                key: try value.string("key"), accepted: accepted, refused: refused ?? [],
                reason: try value.string("reason"), condition: try value.condition("when"))
        }
        let norm = try fields.object("norm") { value throws(ArchitectureError) in try NormStyle(&value) }
        guard let norm else { throw fields.fault("norm") }
        stacks = try fields.dictionary("stacks") { name, value throws(ArchitectureError) in
            try StackTemplate(name, &value, norm: norm)
        }.map(\.value)
        guard !stacks.isEmpty else { throw fields.fault("stacks") }
        language = try fields.shorthand("language_head", "tensor") { value throws(ArchitectureError) in
            try LanguageTemplate(&value, norm: norm)
        }
        classifiers = try fields.objects("classifiers") { value throws(ArchitectureError) in
            try ClassifierTemplate(&value, norm: norm)
        }
        contrastive = try fields.object("contrastive") { value throws(ArchitectureError) in
            try ContrastiveTemplate(&value, norm: norm)
        }
        tiedHeadDefault = try fields.bool("tied_head", default: false)
        specialTokens =
            try fields.object("special_tokens") { value throws(ArchitectureError) in
                func token(_ key: String) throws(ArchitectureError) -> Int? {
                    value.has(key) ? try value.int(key, default: 0) : nil
                }
                let startsWithLast = try value.bool("decoder_starts_with_last", default: false)
                return SpecialTokens(
                    padding: try token("padding"), end: try token("end"), decoderStart: try token("decoder_start"),
                    startsWithLast: startsWithLast)
            } ?? .init()
        copied = try fields.objects("copied") { value throws(ArchitectureError) in
            CopiedLayers(
                path: try value.string("path"), first: try value.expression("first", default: "layers"),
                count: try value.expression("count", default: "0"), role: try value.string("role"),
                reason: try value.string("reason"), isPrefixed: try value.bool("prefixed", default: true))
        }
        layouts = try Self.layouts(&fields, of: root, named: name)
        tensors = try fields.objects("tensors") { value throws(ArchitectureError) in try Tensor(&value) }
        let ignored = try fields.optionalStrings("ignored") ?? []
        let named = dimensions.flatMap { $0.keys + $0.checks } + numbers.values.flatMap { $0.keys + $0.checks }
        let other = activationKeys + activationChecks + refusals.map(\.key) + match.map(\.key)
        let read = Self.activationKeys(root)
            .union(named + other + ignored + rotaries.values.flatMap { $0.thetaKeys + $0.thetaChecks })
            .union(flags.values.flatMap { ($0.readsConfig ? [$0.key] : []) + $0.checks })
        let place = text.map { $0.key + "." } ?? ""
        configKeys = Set(read.map { place + $0 }).union(opaque.flatMap(\.keys))
        try fields.end()
    }

    /// Each is this description with some members replaced.
    private static func layouts(
        _ fields: inout Fields, of root: JSONValue, named name: String
    ) throws(ArchitectureError) -> [ModelDescription] {
        guard let value = fields.take("layouts") else { return [] }
        guard let changes = value.array, var plain = root.object else { throw fields.fault("layouts") }
        plain["layouts"] = nil
        var layouts: [ModelDescription] = []
        for change in changes {
            layouts.append(
                try ModelDescription(
                    decoding: merged(.object(plain), change), named: name, noting: fields.vocabulary.record))
        }
        return layouts
    }

    /// Keys of activations other than the family's, which stand in blocks and heads.
    private static func activationKeys(_ value: JSONValue) -> Set<String> {
        var keys: Set<String> = []
        for member in value.object?.members ?? [] {
            if member.key == "activation" { keys.formUnion(member.value["keys"]?.array?.compactMap(\.string) ?? []) }
            keys.formUnion(activationKeys(member.value))
        }
        for item in value.array ?? [] { keys.formUnion(activationKeys(item)) }
        return keys
    }

    /// Each may refer to those before it.
    private static func dimensions(_ fields: inout Fields) throws(ArchitectureError) -> [Dimension] {
        var known: Set<String> = []
        let dimensions = try fields.dictionary("dimensions") { name, value throws(ArchitectureError) in
            value.vocabulary.dimensions = known
            let lengths = try value.optionalStrings("lengths")
            let listed = try value.optionalStrings("keys")
            let keys = lengths ?? listed
            let fixed = try value.optionalExpression("value")
            let fallback = try value.optionalExpression("default")
            let null = try value.optionalExpression("null")
            // Either read from the config or derived, not both, not neither.
            guard (keys == nil) == (fixed != nil), fixed == nil || (fallback == nil && null == nil) else {
                throw .invalidDescription(family: value.family, field: value.path)
            }
            known.insert(name)
            let other = fixed ?? fallback
            return Dimension(
                name: name, keys: keys ?? [], fallback: other, nullFallback: null ?? other,
                minimum: try value.int("minimum", default: 1), checks: try value.optionalStrings("checks") ?? [],
                isLength: lengths != nil, unless: try value.optionalStrings("unless") ?? [])
        }
        fields.vocabulary.dimensions = known
        return dimensions.map(\.value)
    }

    private static func flags(_ fields: inout Fields) throws(ArchitectureError) -> [String: Flag] {
        var flags: [String: Flag] = [:]
        guard let value = fields.take("flags") else { return flags }
        guard let object = value.object else { throw fields.fault("flags") }
        for member in object.members where !member.value.isNull {
            if let standard = member.value.bool {
                flags[member.key] = Flag(key: member.key, sources: [.bool(default: standard)], checks: [])
            } else {
                var value = try Fields(
                    member.value, family: fields.family, path: "flags.\(member.key)", kind: "flags.*",
                    vocabulary: fields.vocabulary)
                flags[member.key] = try Flag(&value, name: member.key)
                try value.end()
            }
        }
        return flags
    }

    private static func numbers(_ fields: inout Fields) throws(ArchitectureError) -> [String: Number] {
        let numbers = try fields.dictionary("numbers") { _, value throws(ArchitectureError) in
            let keys = try value.optionalStrings("keys") ?? []
            let standard = value.take("default")
            let text = standard?.string
            guard text != nil || standard == nil || standard?.double != nil else { throw value.fault("default") }
            return Number(
                keys: keys, literal: standard?.double,
                fallback: try text.map { text throws(ArchitectureError) in try value.expression(text, "default") },
                power: try value.double("power", default: 1),
                isNullable: try value.bool("nullable", default: false), condition: try value.condition("when"),
                checks: try value.optionalStrings("checks") ?? [])
        }
        return Dictionary(uniqueKeysWithValues: numbers.map { ($0.name, $0.value) })
    }
}

extension ModelDescription.Flag {
    init(_ fields: inout Fields, name: String) throws(ArchitectureError) {
        key = try fields.optionalString("key") ?? name
        var sources: [Source] = []
        if let tensor = try fields.optionalString("tensor") { sources.append(.tensor(tensor)) }
        if let pair = try fields.optionalStrings("differ") {
            guard pair.count == 2 else { throw fields.fault("differ") }
            sources.append(.differ(try fields.expression(pair[0], "differ"), try fields.expression(pair[1], "differ")))
        }
        if try fields.bool("present", default: false) {
            sources.append(.present(default: try fields.bool("default", default: false)))
        }
        if try fields.bool("index", default: false) { sources.append(.index) }
        if let values = fields.take("listed") {
            guard let values = values.array else { throw fields.fault("listed") }
            sources.append(.listed(values))
        }
        if let letters = try fields.optionalStrings("letters") { sources.append(.letters(letters)) }
        if let values = fields.take("repeated") {
            guard let values = values.array else { throw fields.fault("repeated") }
            sources.append(.repeated(values))
        }
        if let values = fields.take("in") {
            guard let values = values.array else { throw fields.fault("in") }
            sources.append(.oneOf(values, default: try fields.bool("default", default: false)))
        }
        if let period = try fields.optionalExpression("every") {
            sources.append(.every(period, remainder: try fields.optionalExpression("remainder")))
        }
        if let start = try fields.optionalExpression("from") { sources.append(.from(start)) }
        if sources.isEmpty { sources = [.bool(default: try fields.bool("default", default: false))] }
        self.sources = sources
        checks = try fields.optionalStrings("checks") ?? []
    }
}

extension ModelDescription.Tensor {
    init(_ fields: inout Fields) throws(ArchitectureError) {
        name = try fields.string("name")
        role = try fields.string("role")
        guard TensorRoles.known.contains(role) else { throw fields.fault("role") }
        if let axes = try fields.optionalStrings("shape") {
            var shape: [DimensionExpression?] = []
            for axis in axes { shape.append(axis == "*" ? nil : try fields.expression(axis, "shape")) }
            self.shape = shape
        } else {
            guard role == "buffer" else { throw fields.fault("shape") }
            shape = nil
        }
        condition = try fields.condition("when")
        presence = try fields.bool("optional", default: true) ? .optional : .required
        isPrefixed = try fields.bool("prefixed", default: true)
        layers = try fields.optionalExpression("layers")
    }
}

enum TensorRoles {
    static let known: Set<String> = [
        "token_embedding", "position_embedding", "type_embedding", "class_embedding", "mask_embedding",
        "patch_embedding", "norm", "pooler", "head", "head_bias", "head_transform", "task_head", "buffer",
    ]
}
