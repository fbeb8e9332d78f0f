extension Head {
    init(_ f: inout Fields, _ stacks: [Stack]) throws(ArchitectureError) {
        let language = try f.object("language_head", short: "tensor") { f throws(ArchitectureError) in
            try LanguageHead(&f, stacks)
        }
        let classifiers = try f.objects("classifiers", Classifier.init)
        if let classifier = classifiers.compactMap(\.self).first {
            self = .classifier(classifier)
        } else if let language = language ?? nil {
            self = .language(language)
        } else {
            self = try f.object("contrastive", Contrastive.init).map(Head.contrastive) ?? .none
        }
        _ = f.take("contrastive")
    }
}

extension HeadStep {
    /// Nil unless all of it is there; what is there is claimed in any case.
    init?(_ f: inout Fields, role: String) throws(ArchitectureError) {
        f.place.bias = true
        let map = try StoredMap(&f)
        let inputs = try f.extent("inputs", default: "hidden")
        var count = try f.optionalExtent("outputs")
        let weight = try f.find(f.demand(map.weight, role, [count, inputs], isPrefixed: map.isPrefixed))
        if count == nil { count = weight.flatMap(f.firstExtent) }
        var bias: String?
        if try f.holds(map.bias) {
            bias = try f.find(f.demand(map.biasName, role, [count], isPrefixed: map.isPrefixed))
        }
        var lacksNorm = false
        norm = try f.choice("norm", "tensor") { f throws(ArchitectureError) in
            let norm = try Norm(&f, [count], isOptional: true)
            lacksNorm = norm == nil
            return norm
        }
        guard let weight, let count, !lacksNorm else {
            f.skip()
            return nil
        }
        projection = Projection(weight: weight, bias: bias, outputCount: count, inputCount: inputs)
        activation = try f.activation("activation")
    }
}

extension LanguageHead {
    /// The stored map and the endings of the config's classes that have this head.
    static func names(_ f: inout Fields) throws(ArchitectureError) -> (map: StoredMap, classes: [String]) {
        (try StoredMap(&f), try f.optionalStrings("classes") ?? ["ForCausalLM", "LMHeadModel"])
    }

    /// Nil unless all of it is there; what is there is claimed in any case.
    init?(_ f: inout Fields, _ stacks: [Stack]) throws(ArchitectureError) {
        let size = try f.extent("size", default: "hidden")
        let vocabulary = try f.extent(f.expression("vocab", "tensor"))
        let (map, classes) = try Self.names(&f)
        let isTied = try f.scope.subject?.reader.tiedHead() ?? false
        let weight = try Self.weight(map, classes, [vocabulary, size], f, stacks, isTied: isTied)
        let hasTransform = f.has("transform")
        transform =
            try f.object("transform") { f throws(ArchitectureError) in
                try HeadStep(&f, role: "head_transform")
            } ?? nil
        var bias: String?
        for name in [map.biasName] + (try f.optionalStrings("bias_tensors") ?? []) where try f.holds(map.bias) {
            let shapes = [[vocabulary], [1, vocabulary]]
            let stored = f.scope.subject?.claims.shape(ofTensor: name, isPrefixed: map.isPrefixed)
            let shape = shapes.first { $0 == stored } ?? [vocabulary]
            let found = try f.find(f.demand(name, "head_bias", shape, isPrefixed: map.isPrefixed))
            bias = bias ?? found
        }
        guard let weight, !hasTransform || transform != nil else {
            f.skip()
            return nil
        }
        let tied = try f.number("tied_multiplier")
        head = Projection(weight: weight, bias: bias, outputCount: vocabulary, inputCount: size)
        multiplier = try ((isTied ? tied : nil) ?? 1) * (f.number("multiplier") ?? 1)
        softCap = try f.number("soft_cap", in: .positive)
        self.isTied = isTied
        let own = f.demand(map.weight, "head", [vocabulary, size], isPrefixed: map.isPrefixed)
        let ownName = f.scope.subject.map { $0.claims.stored(own) }
        let staysTied = try f.bool("stays_tied", default: false)
        self.ownName = isTied && !staysTied && weight != ownName ? ownName : nil
        // So that what stands where there is no such head is read, too.
        if f.scope.subject == nil { return nil }
    }

    private static func weight(
        _ map: StoredMap, _ classes: [String], _ shape: [Int], _ f: Fields, _ stacks: [Stack], isTied: Bool
    ) throws(ArchitectureError) -> String? {
        guard let subject = f.scope.subject else { return "" }
        let (reader, claims) = (subject.reader, subject.claims)
        let isNamed = reader.className(endsWith: classes)
        let own = f.demand(map.weight, "head", shape, isPrefixed: map.isPrefixed)
        // A head that is stored is used as it is: transformers ties it to the embedding only where the two are equal.
        if let weight = try claims.find(own) { return weight }
        if isNamed, !isTied {
            // A decoder saved for its states alone; a head with parts of its own is incomplete.
            guard subject.description.stackCount == 1, !f.has("transform") else { throw claims.missing(own) }
            claims.note(
                "no output head (\(map.weight)) is stored, though the class named in config.json has one: the model is taken for its hidden states"
            )
        }
        guard isTied, case .tokens(let embedding)? = stacks.last?.embedding, isNamed || !reader.namesClasses else {
            return nil
        }
        return embedding.tokens
    }
}

extension Classifier {
    /// Nil unless config.json names its class and all of it is there.
    init?(_ f: inout Fields) throws(ArchitectureError) {
        let steps = try f.objects("steps") { f throws(ArchitectureError) in try HeadStep(&f, role: "task_head") }
        guard !steps.isEmpty else { throw f.fault("steps") }
        let classes = try f.optionalStrings("classes") ?? ["ForSequenceClassification", "ForImageClassification"]
        let condition = try f.condition("when")
        pooling = try f.word("pooling")
        guard let subject = f.scope.subject, subject.reader.className(endsWith: classes),
            steps.allSatisfy({ $0 != nil }), try f.holds(condition)
        else { return nil }
        self.steps = steps.compactMap(\.self)
        let (reader, defaults) = (subject.reader, subject.description.specialTokens)
        token =
            switch pooling {
            case .last: try reader.token("pad_token_id", default: defaults.padding)
            case .endOfText: try reader.token("eos_token_id", default: defaults.end)
            default: nil
            }
        decoderStart =
            defaults.startsWithLast
            ? try reader.token("pad_token_id", default: defaults.padding).map { .last(padding: $0) }
            : try reader.token("decoder_start_token_id", default: defaults.decoderStart).map { .token($0) }
    }
}

extension Contrastive {
    init(_ f: inout Fields) throws(ArchitectureError) {
        let shape = try f.extents("scale_shape", default: [])
        text = try f.required(object: "text", Tower.init)
        image = try f.required(object: "image", Tower.init)
        scale = try f.tensor(try f.string("scale"), "task_head", shape)
        bias = try f.tensor(at: "bias", "task_head", shape)
    }
}

extension Contrastive.Tower {
    private enum Pooling: String, CaseIterable {
        case first, last, attention
        case endOfText = "end_of_text"
    }

    init(_ f: inout Fields) throws(ArchitectureError) {
        let stack = try f.string("stack")
        self.stack = stack
        let inputs = try f.extent("inputs", default: "hidden")
        f.place.hidden = inputs
        let kind: Pooling = try f.word("pooling")
        switch kind {
        case .first: pooling = .first
        case .last: pooling = .last
        case .endOfText: pooling = .endOfText(f.scope.subject?.reader.endOfText ?? 0)
        case .attention:
            f.place.sizes = try f.required(object: "pooler_defaults", Place.Sizes.init)
            f.place.block = "\(stack).pooler"
            pooling = .attention(Layer(isParallel: false, sublayers: try f.dictionary("pooler", Sublayer.init)))
        }
        let outputs = try f.extent("outputs", default: "projection")
        projection = try f.projection("projection", "task_head", outputs: outputs, inputs: inputs)
    }
}
