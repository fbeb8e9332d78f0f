enum EmbeddingTemplate: Sendable {
    struct Tokens: Sendable {
        /// The first that is there.
        let tokens: [String]
        let vocabulary: DimensionExpression
        let size: DimensionExpression
        let hidden: DimensionExpression
        let positions: String?
        let positionRows: DimensionExpression?
        let positionOffset: DimensionExpression
        /// A token that stands at the position of its own number and is not counted.
        let uncounted: DimensionExpression?
        let types: String?
        let typeRows: DimensionExpression?
        let multiplier: NumberReference?
        let norm: NormTemplate?
        let projection: ProjectionTemplate?
        let projectsBeforePositions: Bool
    }

    struct Patches: Sendable {
        let projection: ProjectionTemplate
        let hidden: DimensionExpression
        let channels: DimensionExpression
        let image: DimensionExpression
        let patch: DimensionExpression
        /// Names and shapes.
        let leading: [(name: String, shape: [DimensionExpression])]
        let positions: String?
        let positionShape: [DimensionExpression]
        let norm: NormTemplate?
    }

    struct Audio: Sendable {
        let first: ProjectionTemplate
        let second: ProjectionTemplate
        let hidden: DimensionExpression
        let bins: DimensionExpression
        let positions: String
        let positionRows: DimensionExpression
    }

    case tokens(Tokens)
    case patches(Patches)
    case audio(Audio)

    init(_ fields: inout Fields, hidden: DimensionExpression, norm: NormStyle) throws(ArchitectureError) {
        if fields.has("patches") {
            self = .patches(try Patches(&fields, hidden: hidden, norm: norm))
        } else if fields.has("first") {
            self = .audio(try Audio(&fields, hidden: hidden))
        } else {
            self = .tokens(try Tokens(&fields, hidden: hidden, norm: norm))
        }
    }
}

extension EmbeddingTemplate.Tokens {
    init(_ fields: inout Fields, hidden: DimensionExpression, norm: NormStyle) throws(ArchitectureError) {
        tokens = try fields.strings("tokens")
        vocabulary = try fields.expression("vocabulary", default: "vocab")
        size = try fields.expression("size", default: hidden.text)
        self.hidden = hidden
        positions = try fields.optionalString("positions")
        positionRows = positions == nil ? nil : try fields.expression("position_rows", default: "positions")
        positionOffset = try fields.expression("position_offset", default: "0")
        uncounted = try fields.optionalExpression("uncounted")
        types = try fields.optionalString("types")
        typeRows = types == nil ? nil : try fields.expression("type_rows", default: "types")
        multiplier = try fields.number("multiplier")
        self.norm = try fields.norm("norm", norm)
        projection = try fields.projection("projection", bias: Condition(constant: true))
        projectsBeforePositions = try fields.bool("projects_before_positions", default: false)
    }
}

extension EmbeddingTemplate.Patches {
    init(_ fields: inout Fields, hidden: DimensionExpression, norm: NormStyle) throws(ArchitectureError) {
        projection = try fields.requiredProjection("patches", bias: Condition(constant: true))
        self.hidden = hidden
        channels = try fields.expression("channels", default: "channels")
        image = try fields.expression("image", default: "image")
        patch = try fields.expression("patch", default: "patch")
        func shape(_ fields: inout Fields) throws(ArchitectureError) -> [DimensionExpression] {
            var shape: [DimensionExpression] = []
            for axis in try fields.strings("shape") { shape.append(try fields.expression(axis, "shape")) }
            return shape
        }
        leading = try fields.objects("leading") { value throws(ArchitectureError) in
            (name: try value.string("name"), shape: try shape(&value))
        }
        let table = try fields.object("positions") { value throws(ArchitectureError) in
            (name: try value.string("name"), shape: try shape(&value))
        }
        positions = table?.name
        positionShape = table?.shape ?? []
        self.norm = try fields.norm("norm", norm)
    }
}

extension EmbeddingTemplate.Audio {
    init(_ fields: inout Fields, hidden: DimensionExpression) throws(ArchitectureError) {
        first = try fields.requiredProjection("first", bias: Condition(constant: true))
        second = try fields.requiredProjection("second", bias: Condition(constant: true))
        self.hidden = hidden
        bins = try fields.expression("bins", default: "bins")
        positions = try fields.string("positions")
        positionRows = try fields.expression("position_rows", default: "positions")
    }
}
