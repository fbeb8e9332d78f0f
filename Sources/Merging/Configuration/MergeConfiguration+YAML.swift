import Checkpoints
import Foundations

extension MergeConfiguration {
    private static let keys = [
        "merge_method", "base_model", "models", "slices", "modules", "parameters", "dtype", "out_dtype",
        "tokenizer_source", "tokenizer", "chat_template", "name",
    ]
    private static let types: KeyValuePairs<String, ElementType> = [
        "float32": .f32, "float16": .f16, "bfloat16": .bf16, "float64": .f64,
    ]

    /// Reads mergekit's YAML.
    ///
    /// - Throws: `YAMLFault`, which names the line.
    public init(parsing text: String) throws(YAMLFault) {
        let root = try YAMLValue(parsing: text)
        let members = try root.members(of: Self.keys)
        guard let named = members["merge_method"] else {
            throw YAMLFault(line: root.line, reason: "merge_method is missing")
        }
        let known = MergeMethod.builtIn.map(\.name)
        let word = try named.need("a method: \(known.joined(separator: ", "))")
        guard !MergeMethod.routed.contains(where: { $0.name == word }) else {
            throw YAMLFault(line: named.line, reason: "\(MergeError.noCheckpoint(method: word))")
        }
        guard let method = MergeMethod.builtIn.first(where: { $0.name == word }) else {
            throw YAMLFault(
                line: named.line,
                reason:
                    "merge_method \(PrintableText.line(word)) is unknown; known are \(known.joined(separator: ", "))")
        }
        let forms = ["models", "slices", "modules"].filter { members[$0].map { !$0.isNull } == true }
        guard forms.count == 1, let form = forms.first, let value = members[form] else {
            throw YAMLFault(
                line: root.line,
                reason:
                    "expected one of models, slices and modules, found \(forms.isEmpty ? "none" : forms.joined(separator: " and "))"
            )
        }
        if let value = members["chat_template"], !value.isNull {
            throw YAMLFault(
                line: value.line, reason: "chat_template is not known here yet; leave it out to keep the base's")
        }
        var base: String?
        if let value = members["base_model"], !value.isNull { base = try value.modelName() }
        let modules: [Module]
        switch form {
        case "models": modules = [Module([Slice(try Self.sources(value, method, layers: false))])]
        case "slices": modules = [Module(try Self.slices(value, method))]
        default: modules = try Self.modules(value, method)
        }
        let (computed, stored) = (try Self.type(members["dtype"]), try Self.type(members["out_dtype"]))
        self.init(
            method, modules: modules, base: base, settings: try Self.settings(members["parameters"], method),
            outputType: stored ?? computed, vocabulary: try Vocabulary(members))
    }

    private static func type(_ value: YAMLValue?) throws(YAMLFault) -> ElementType? {
        guard let value, !value.isNull else { return nil }
        let names = types.map(\.key).joined(separator: ", ")
        let name = try value.need("a type: \(names)")
        guard let type = types.first(where: { $0.key == name })?.value else {
            throw YAMLFault(line: value.line, reason: "type \(PrintableText.line(name)) is unknown; known are \(names)")
        }
        return type
    }

    private static func modules(_ value: YAMLValue, _ method: MergeMethod) throws(YAMLFault) -> [Module] {
        guard case .map(let members, _) = value, !members.isEmpty else {
            throw YAMLFault(line: value.line, reason: "modules is a map of names to models or slices")
        }
        var modules: [Module] = []
        for member in members {
            let own = try member.value.members(of: ["models", "slices", "parameters"])
            let slices: [Slice]
            switch (own["models"], own["slices"]) {
            case (let models?, nil): slices = [Slice(try sources(models, method, layers: false))]
            case (nil, let list?): slices = try Self.slices(list, method)
            default: throw YAMLFault(line: member.line, reason: "expected one of models and slices")
            }
            modules.append(Module(slices, named: member.key, settings: try settings(own["parameters"], method)))
        }
        return modules
    }

    private static func slices(_ value: YAMLValue, _ method: MergeMethod) throws(YAMLFault) -> [Slice] {
        var slices: [Slice] = []
        for item in try value.items("slices") {
            let members = try item.members(of: ["sources", "base_model", "residual_weight", "parameters"])
            guard let list = members["sources"] else {
                throw YAMLFault(line: item.line, reason: "a slice without sources")
            }
            let sources = try sources(list, method, layers: true)
            let counts = Set(sources.map { $0.layers?.count ?? 0 })
            guard counts.count == 1 else {
                throw YAMLFault(line: list.line, reason: "the sources of a slice have different numbers of layers")
            }
            var base: String?
            if let value = members["base_model"], !value.isNull { base = try value.modelName() }
            slices.append(Slice(sources, base: base, settings: try settings(members["parameters"], method)))
        }
        return slices
    }

    private static func sources(
        _ value: YAMLValue, _ method: MergeMethod, layers hasLayers: Bool
    ) throws(YAMLFault) -> [Source] {
        var sources: [Source] = []
        for item in try value.items(hasLayers ? "sources" : "models") {
            let evidence = method.evidence == .none ? [] : [method.evidence.rawValue]
            let members = try item.members(
                of: ["model", "parameters"] + (hasLayers ? ["layer_range"] : []) + evidence)
            guard let name = members["model"] else { throw YAMLFault(line: item.line, reason: "model is missing") }
            var layers: Range<Int>?
            if hasLayers {
                guard case .list(let ends, _)? = members["layer_range"], ends.count == 2,
                    let start = ends[0].number.flatMap(Int.init(exactly:)),
                    let end = ends[1].number.flatMap(Int.init(exactly:)), start >= 0, end > start
                else {
                    throw YAMLFault(
                        line: members["layer_range"]?.line ?? item.line,
                        reason: "expected layer_range: [first, end], the end not included")
                }
                layers = start..<end
            }
            sources.append(
                Source(
                    try name.modelName(), layers: layers, settings: try settings(members["parameters"], method),
                    evidence: try members[method.evidence.rawValue]?.need("the path of a file")))
        }
        return sources
    }

    /// What is said of a method's parameters. Those of other methods are left aside, as mergekit leaves them.
    private static func settings(_ value: YAMLValue?, _ method: MergeMethod) throws(YAMLFault) -> Settings {
        guard let value, !value.isNull else { return [:] }
        guard case .map(let members, _) = value else {
            throw YAMLFault(line: value.line, reason: "parameters is a map")
        }
        let known = Set(MergeMethod.builtIn.flatMap { $0.parameters.map(\.name) } + MergeMethod.ignored)
        var settings: Settings = [:]
        for member in members {
            guard known.contains(member.key) else {
                throw YAMLFault(
                    line: member.line,
                    reason:
                        "parameter \(PrintableText.line(member.key)) is unknown; \(method.name) takes \(method.parameterNames)"
                )
            }
            guard let parameter = method.parameters.first(where: { $0.name == member.key }), !member.value.isNull
            else { continue }
            let setting = try MergeSetting(member.value, of: member.key)
            for value in setting.values {
                guard parameter.admits(value) else {
                    throw YAMLFault(
                        line: member.value.line, reason: "\(member.key) is \(value), expected \(parameter.expected)")
                }
            }
            settings[member.key] = setting
        }
        return settings
    }
}

extension MergeMethod {
    /// Parameters of mergekit's that say how it computes, and not what.
    static let ignored = ["int8_mask"]

    var parameterNames: String {
        parameters.isEmpty ? "none" : parameters.map(\.name).joined(separator: ", ")
    }
}

extension MergeMethod.Parameter {
    package func admits(_ value: Double) -> Bool {
        range.contains(value) && (kind == .number || value == value.rounded())
    }

    /// In words.
    package var expected: String {
        switch kind {
        case .flag: "true or false"
        case .whole: "a whole number from \(Int(range.lowerBound)) to \(Int(range.upperBound))"
        case .number: "\(range.lowerBound) to \(range.upperBound)"
        }
    }
}

extension YAMLValue {
    /// A path or a name; mergekit also writes it as a map.
    func modelName() throws(YAMLFault) -> String {
        guard case .map = self else { return try need("the path or name of a model") }
        let members = try members(of: ["model", "path"])
        guard let inner = members["model"] ?? members["path"] else {
            throw YAMLFault(line: line, reason: "expected the path or name of a model")
        }
        return try inner.modelName()
    }
}
