extension ModelDescription.Dimension {
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

extension ModelDescription.Number {
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

extension ModelDescription.Flag {
    init(_ name: String, _ f: inout Fields) throws(ArchitectureError) {
        key = try f.optionalString("key") ?? name
        var sources: [Source] = []
        if let tensor = try f.optionalString("tensor") { sources.append(.tensor(tensor)) }
        if let pair = try f.optionalStrings("differ") {
            guard pair.count == 2 else { throw f.fault("differ") }
            sources.append(.differ(try f.expression(pair[0], "differ"), try f.expression(pair[1], "differ")))
        }
        if try f.bool("present", default: false) {
            sources.append(.present(default: try f.bool("default", default: false)))
        }
        if try f.bool("index", default: false) { sources.append(.index) }
        if let values = try f.values("listed") { sources.append(.listed(values)) }
        if let letters = try f.optionalStrings("letters") { sources.append(.letters(letters)) }
        if let values = try f.values("repeated") { sources.append(.repeated(values)) }
        if let values = try f.values("in") {
            sources.append(.oneOf(values, default: try f.bool("default", default: false)))
        }
        if let period = try f.optionalExpression("every") {
            sources.append(.every(period, remainder: try f.optionalExpression("remainder")))
        }
        if let start = try f.optionalExpression("from") { sources.append(.from(start)) }
        if sources.isEmpty { sources = [.bool(default: try f.bool("default", default: false))] }
        self.sources = sources
        checks = try f.optionalStrings("checks") ?? []
    }
}
