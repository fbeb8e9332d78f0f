extension Embedding {
    private enum Kind: String, CaseIterable { case tokens, patches, audio }

    init(_ f: inout Fields) throws(ArchitectureError) {
        f.place.bias = true
        let kind: Kind = try f.word("kind")
        switch kind {
        case .tokens: self = .tokens(try TokenEmbedding(&f))
        case .patches: self = .patches(try PatchEmbedding(&f))
        case .audio: self = .audio(try AudioEmbedding(&f))
        }
    }
}

extension TokenEmbedding {
    init(_ f: inout Fields) throws(ArchitectureError) {
        let hidden = f.place.hidden
        vocabulary = try f.extent(f.expression("vocab", "tokens"))
        let size = try f.extent("size", default: f.place.sizes.hidden)
        tokens = try Self.tokens(&f, [vocabulary, size])
        projection = try f.projection("projection", "embedding_projection", outputs: hidden, inputs: size)
        projectsBeforePositions = try f.bool("projects_before_positions", default: false)
        // Positions join before the projection unless it comes first.
        let width = projectsBeforePositions ? hidden : size
        let skipped = try f.expression("position_offset", default: "0")
        positionOffset = try f.extent(skipped)
        uncounted = try f.optionalExtent("uncounted")
        var positions: String?
        if let table = try f.optionalString("positions") {
            let rows = try f.extent("position_rows", default: "positions")
            guard rows > positionOffset || f.scope.subject == nil else {
                throw f.invalid(
                    f.configKey(of: skipped), "such that \(positionOffset) rows of positions are skipped",
                    "fewer than the \(rows) that there are")
            }
            positions = try f.tensor(table + ".weight", "position_embedding", [rows, width])
        }
        self.positions = positions
        var types: String?
        if let table = try f.optionalString("types") {
            let rows = try f.extent(f.expression("types", "types"))
            types = try f.tensor(table + ".weight", "type_embedding", [rows, width])
        }
        self.types = types
        multiplier = try f.number("multiplier") ?? 1
        norm = try f.norm("norm", [width])
    }

    /// The first of the names that is stored.
    private static func tokens(_ f: inout Fields, _ shape: [Int]) throws(ArchitectureError) -> String {
        let names = try f.strings("tokens")
        guard let subject = f.scope.subject else { return "" }
        var tokens: String?
        for name in names {
            let found = try f.find(f.demand(name + ".weight", "token_embedding", shape))
            // transformers would give encoder and decoder tables of their own.
            if let tokens, let found, !f.isProbe, !subject.claims.areEqual(tokens, found) {
                throw .ambiguousTensor(path: subject.claims.path, tensor: found, other: tokens)
            }
            tokens = tokens ?? found
        }
        // Of two tied tensors a file may keep the head alone.
        if tokens == nil, subject.description.stackCount == 1, let head = try subject.description.languageHead(),
            subject.reader.className(endsWith: head.classes), try subject.reader.tiedHead()
        {
            tokens = try f.find(
                f.demand(head.map.weight, "token_embedding", shape, isPrefixed: head.map.isPrefixed))
        }
        if tokens == nil, let name = names.first {
            tokens = try f.tensor(name + ".weight", "token_embedding", shape)
        }
        return tokens ?? ""
    }
}

extension PatchEmbedding {
    init(_ f: inout Fields) throws(ArchitectureError) {
        let hidden = f.place.hidden
        channels = try f.extent("channels", default: "channels")
        imageSize = try f.extent("image", default: "image")
        let patch = try f.expression("patch", default: "patch")
        let side = try f.extent(patch)
        patchSize = side
        let (shape, inputs) = (
            [hidden, channels, side, side], try f.product(channels, side, side, key: f.configKey(of: patch))
        )
        let map = try f.object("patches", short: "tensor") { f throws(ArchitectureError) in
            let map = try StoredMap(&f)
            let weight = try f.tensor(map.weight, "patch_embedding", shape)
            let bias = try f.holds(map.bias) ? f.tensor(map.biasName, "patch_embedding", [hidden]) : nil
            return Projection(weight: weight, bias: bias, outputCount: hidden, inputCount: inputs)
        }
        patches = try f.required(map, "patches")
        var axis = 0
        leading = try f.objects("leading") { f throws(ArchitectureError) in
            let shape = try f.extents("shape")
            if shape.count > 1 { axis = 1 }
            return try f.tensor(try f.string("name"), "class_embedding", shape)
        }
        leadingAxis = axis
        positions = try f.object("positions") { f throws(ArchitectureError) in
            try f.tensor(try f.string("name"), "position_embedding", try f.extents("shape"))
        }
        norm = try f.norm("norm", [hidden])
    }
}

extension AudioEmbedding {
    init(_ f: inout Fields) throws(ArchitectureError) {
        let hidden = f.place.hidden
        melBins = try f.extent("bins", default: "bins")
        func convolution(_ key: String, _ inputs: Int, _ f: inout Fields) throws(ArchitectureError) -> Projection {
            let map = try f.object(key, short: "tensor") { f throws(ArchitectureError) in
                let map = try StoredMap(&f)
                return Projection(
                    weight: try f.tensor(map.weight, "patch_embedding", [hidden, inputs, 3]),
                    bias: try f.tensor(map.biasName, "patch_embedding", [hidden]), outputCount: hidden,
                    inputCount: 3 * inputs)
            }
            return try f.required(map, key)
        }
        first = try convolution("first", melBins, &f)
        second = try convolution("second", hidden, &f)
        let rows = try f.extent("position_rows", default: "positions")
        positions = try f.tensor(try f.string("positions") + ".weight", "position_embedding", [rows, hidden])
    }
}
