import Checkpoints

/// A model that a description is read for: one checkpoint under one layout.
struct Subject {
    let description: ModelDescription
    let reader: ConfigReader
    let claims: Claims
    let dimensions: [String: Int]
}

/// What the members of an object say about the model at hand.
extension Fields {
    /// No axis is longer; sums of some extents stay far from overflow.
    private static let largestExtent = 1 << 40

    var isProbe: Bool { scope.subject?.claims.isProbe ?? true }

    func holds(_ condition: Condition) throws(ArchitectureError) -> Bool {
        guard let subject = scope.subject else { return true }
        return try condition.holds { flag throws(ArchitectureError) in
            try subject.reader.flag(
                flag, layer: place.layer, dimensions: subject.dimensions, claims: subject.claims)
        }
    }

    func extent(_ expression: DimensionExpression) throws(ArchitectureError) -> Int {
        guard let subject = scope.subject else { return 1 }
        let value = expression.value(in: subject.dimensions) ?? -1
        guard (0..<Self.largestExtent).contains(value) else {
            let names = expression.names ?? []
            let given = names.compactMap { name in subject.dimensions[name].map { "\(name) \($0)" } }
            throw invalid(
                names.first ?? expression.text,
                "such that \(expression.text) is no whole number in range (\(given.joined(separator: ", ")))",
                "dimensions that fit each other")
        }
        return value
    }

    mutating func extent(_ key: String, default standard: String) throws(ArchitectureError) -> Int {
        try extent(try expression(key, default: standard))
    }

    mutating func optionalExtent(_ key: String) throws(ArchitectureError) -> Int? {
        guard let expression = try optionalExpression(key) else { return nil }
        return try extent(expression)
    }

    /// The extents of a tensor's axes.
    mutating func extents(_ key: String, default standard: [String]? = nil) throws(ArchitectureError) -> [Int] {
        var extents: [Int] = []
        for axis in try required(try optionalStrings(key) ?? standard, key) {
            extents.append(try extent(try expression(axis, key)))
        }
        return extents
    }

    /// The product of extents that come from the config.
    func product(_ factors: Int..., key: String) throws(ArchitectureError) -> Int {
        var result = 1
        for factor in factors {
            let (product, overflow) = result.multipliedReportingOverflow(by: factor)
            guard !overflow, product < Self.largestExtent else {
                let text = factors.map(String.init).joined(separator: " x ")
                throw invalid(key, "such that \(text) values stand on one axis", "dimensions of a model")
            }
            result = product
        }
        return result
    }

    /// Why a value of config.json is refused.
    func invalid(_ key: String, _ found: String, _ expected: String) -> ArchitectureError {
        .invalidConfigValue(path: scope.subject?.claims.path ?? "", key: key, found: found, expected: expected)
    }

    /// What config.json calls the first dimension of an expression.
    func configKey(of expression: DimensionExpression) -> String {
        guard let subject = scope.subject, let name = expression.names?.first else { return expression.text }
        let dimension = subject.description.dimensions.first { $0.name == name }
        return subject.reader.written(dimension?.keys.first ?? name)
    }

    /// Nil where the model lacks the number.
    func number(
        _ reference: NumberReference?, in domain: NumberDomain = .any
    ) throws(ArchitectureError) -> Double? {
        switch reference {
        case nil: return nil
        case .literal(let value)?: return value
        case .named(let name)?:
            guard let subject = scope.subject, let number = subject.description.numbers[name],
                try holds(number.condition)
            else { return nil }
            return try subject.reader.number(number, named: name, in: domain, dimensions: subject.dimensions)
        }
    }

    mutating func number(_ key: String, in domain: NumberDomain = .any) throws(ArchitectureError) -> Double? {
        try choice(key, Self.value) { f throws(ArchitectureError) in
            try f.number(try f.required(try f.reference(Self.value), Self.value), in: domain)
        }
    }

    /// "config" for the family's, a name, or an object with keys of its own.
    mutating func activation(_ key: String) throws(ArchitectureError) -> Activation? {
        guard let name = look(key)?.string else {
            return try object(key) { f throws(ArchitectureError) in
                let (keys, standard) = (try f.strings("keys"), try f.string("default"))
                return try f.scope.subject?.reader.activation(keys: keys, standard: standard) ?? .relu
            }
        }
        _ = take(key)
        return name == "config" ? try familyActivation() : try required(Activation(rawValue: name), key)
    }

    func familyActivation() throws(ArchitectureError) -> Activation {
        guard let subject = scope.subject else { return .relu }
        let description = subject.description
        return try subject.reader.activation(
            keys: description.activationKeys, standard: description.activationDefault,
            checks: description.activationChecks)
    }
}
