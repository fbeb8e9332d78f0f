import Checkpoints
import Foundations

extension ModelDescription {
    private static let bodyKeys = ["stacks", "language_head", "classifiers", "contrastive", "copied", "tensors"]

    /// Decodes a description but for its body, strictly: an unknown, missing or mistyped field and a name that nothing declares are
    /// errors that name the family and the field.
    package init(decoding root: JSONValue, named name: String) throws(ArchitectureError) {
        try self.init(decoding: root, named: name, noting: nil)
    }

    /// - Parameter record: where the keys that are read are noted.
    init(decoding root: JSONValue, named name: String, noting record: DescriptionKeys.Record?) throws(ArchitectureError)
    {
        let scope = Scope(name, noting: record)
        var f = try Fields(root, scope)
        family = try f.string("family")
        guard family == name else { throw f.fault("family") }
        modelTypes = try f.strings("model_types")
        match = try f.dictionary("match") { key, f throws(ArchitectureError) in
            (key: key, accepted: try f.required(try f.values("in"), "in"))
        }
        refusedTypes = try f.objects("refused_model_types") { f throws(ArchitectureError) in
            (modelType: try f.string("model_type"), reason: try f.string("reason"))
        }
        text = try f.object("text", TextPart.init)
        opaque = try f.objects("opaque", OpaqueKind.init)
        scope.vocabulary.parts = Set(opaque.map(\.name))
        prefixes = try f.strings("prefixes")
        aliases = try f.objects("aliases") { f throws(ArchitectureError) in
            (from: try f.string("from"), to: try f.string("to"))
        }
        dimensions = try f.dictionary("dimensions", Dimension.init)
        flags = try f.named("flags", short: "default", Flag.init)
        scope.vocabulary.flags.formUnion(flags.keys)
        numbers = try f.named("numbers", Number.init)
        scope.vocabulary.numbers = Set(numbers.keys)
        (activationKeys, activationDefault, activationChecks) = try f.required(object: "activation") {
            f throws(ArchitectureError) in
            (try f.optionalStrings("keys") ?? [], try f.string("default"), try f.optionalStrings("checks") ?? [])
        }
        rotaries = try f.named("rotary", RotaryKind.init)
        scope.vocabulary.rotaries = Set(rotaries.keys)
        refusals = try f.objects("refusals", Refusal.init)
        norm = try f.required(object: "norm", NormStyle.init)
        tiedHeadDefault = try f.bool("tied_head", default: false)
        specialTokens = try f.object("special_tokens", SpecialTokens.init) ?? .init()
        layouts = try Self.layouts(&f, of: root, named: name)
        var parts: [(String, JSONValue)] = []
        for key in Self.bodyKeys { if let part = f.take(key) { parts.append((key, part)) } }
        body = .object(JSONObject(parts))
        vocabulary = scope.vocabulary
        let ignored = try f.optionalStrings("ignored") ?? []
        let named = dimensions.flatMap { $0.keys + $0.checks } + numbers.values.flatMap { $0.keys + $0.checks }
        let other = activationKeys + activationChecks + refusals.map(\.key) + match.map(\.key)
        let read = Self.activationKeys(root)
            .union(named + other + ignored + rotaries.values.flatMap { $0.thetaKeys + $0.thetaChecks })
            .union(flags.values.flatMap { ($0.readsConfig ? [$0.key] : []) + $0.checks })
        let place = text.map { $0.key + "." } ?? ""
        configKeys = Set(read.map { place + $0 }).union(opaque.flatMap(\.keys))
        guard body["stacks"]?.object?.members.isEmpty == false else { throw f.fault("stacks") }
        try f.end()
    }

    /// Each is this description with some members replaced.
    private static func layouts(
        _ f: inout Fields, of root: JSONValue, named name: String
    ) throws(ArchitectureError) -> [ModelDescription] {
        guard let changes = try f.values("layouts"), var plain = root.object else { return [] }
        plain["layouts"] = nil
        var layouts: [ModelDescription] = []
        for change in changes {
            let root = merged(.object(plain), change)
            layouts.append(try ModelDescription(decoding: root, named: name, noting: f.scope.record))
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
}

extension Fields {
    /// The members of a dictionary by their names.
    fileprivate mutating func named<Result>(
        _ key: String, short: String? = nil, _ body: (String, inout Fields) throws(ArchitectureError) -> Result
    ) throws(ArchitectureError) -> [String: Result] {
        let members = try dictionary(key, short: short) { name, f throws(ArchitectureError) in
            (name, try body(name, &f))
        }
        return Dictionary(uniqueKeysWithValues: members)
    }
}
