import Checkpoints

/// Fills a description's templates with a model's dimensions and claims the tensors that they name.
struct BlockBuilder {
    let description: ModelDescription
    let reader: ConfigReader
    let claims: Claims
    let dimensions: [String: Int]

    /// Where a template stands: which layer's tensors, and which layer's flags.
    struct Place {
        var path = ""
        /// The number that `{layer}` stands for; nil outside of layers.
        var weights: Int?
        /// The layer that flags are asked about.
        var layer: Int?
        var expert: Int?
        var head: Int?
    }

    /// No axis is longer; sums of some extents stay far from overflow.
    private static let largestExtent = 1 << 40

    /// The product of extents that come from the config.
    func product(_ factors: Int..., key: String) throws(ArchitectureError) -> Int {
        var result = 1
        for factor in factors {
            let (product, overflow) = result.multipliedReportingOverflow(by: factor)
            guard !overflow, product < Self.largestExtent else {
                throw .invalidConfigValue(
                    path: claims.path, key: key,
                    found: "such that \(factors.map(String.init).joined(separator: " x ")) values stand on one axis",
                    expected: "dimensions of a model")
            }
            result = product
        }
        return result
    }

    /// What config.json calls the first dimension of an expression.
    func configKey(of expression: DimensionExpression) -> String {
        guard let name = expression.names?.first else { return expression.text }
        return reader.written(description.dimensions.first { $0.name == name }?.keys.first ?? name)
    }

    func value(_ expression: DimensionExpression) throws(ArchitectureError) -> Int {
        guard let value = expression.value(in: dimensions), (0..<Self.largestExtent).contains(value) else {
            let names = expression.names ?? []
            let given = names.compactMap { name in dimensions[name].map { "\(name) \($0)" } }.joined(separator: ", ")
            throw .invalidConfigValue(
                path: claims.path, key: names.first ?? expression.text,
                found: "such that \(expression.text) is no whole number in range (\(given))",
                expected: "dimensions that fit each other")
        }
        return value
    }

    func holds(_ condition: Condition, _ place: Place) throws(ArchitectureError) -> Bool {
        try condition.holds { flag throws(ArchitectureError) in
            try reader.flag(flag, layer: place.layer, dimensions: dimensions, claims: claims)
        }
    }

    func number(
        _ reference: NumberReference?, _ place: Place = .init(), in domain: NumberDomain = .any
    ) throws(ArchitectureError) -> Double? {
        switch reference {
        case nil: return nil
        case .literal(let value)?: return value
        case .named(let name)?:
            guard let template = description.numbers[name], try holds(template.condition, place) else { return nil }
            return try reader.number(template, named: name, in: domain, dimensions: dimensions)
        }
    }

    private func name(_ template: String, _ place: Place) -> String {
        let name = template.hasPrefix("^") ? String(template.dropFirst()) : place.path + template
        return name.filled { word in
            switch word {
            case "layer": place.weights
            case "expert": place.expert
            case "head": place.head
            default: nil
            }
        }
    }

    func tensor(
        _ template: String, _ role: String, _ shape: [Int], _ place: Place, isPrefixed: Bool = true
    ) throws(ArchitectureError) -> String {
        try claims.require(demand(template, role, shape, place, isPrefixed: isPrefixed))
    }

    func demand(
        _ template: String, _ role: String, _ shape: [Int?], _ place: Place, isPrefixed: Bool = true
    ) -> Claims.Demand {
        .init(name: name(template, place), role: role, layer: place.weights, shape: shape, isPrefixed: isPrefixed)
    }

    func norm(
        _ template: NormTemplate?, _ shape: [Int], _ place: Place, role: String = "norm"
    ) throws(ArchitectureError) -> Norm? {
        guard let template, try holds(template.condition, place) else { return nil }
        let style = template.style
        guard let epsilon = try number(style.epsilon, place, in: .nonNegative) else {
            throw .invalidDescription(family: description.family, field: "norm.epsilon")
        }
        var weight: String?
        var bias: String?
        if let tensor = template.tensor, style.hasGain {
            weight = try self.tensor(tensor + ".weight", role, shape, place, isPrefixed: template.isPrefixed)
            if try holds(style.bias, place) {
                bias = try self.tensor(tensor + ".bias", role, shape, place, isPrefixed: template.isPrefixed)
            }
        }
        return Norm(kind: style.kind, weight: weight, bias: bias, epsilon: epsilon, gainOffset: style.gainOffset)
    }

    /// The first whose condition holds.
    func norm(
        of templates: [NormTemplate], _ shape: [Int], _ place: Place
    ) throws(ArchitectureError) -> Norm? {
        for template in templates {
            if let norm = try norm(template, shape, place) { return norm }
        }
        return nil
    }

    /// A map that is the whole tensor, unless `fused` gives the extent of the stored output axis, with this map's share of it.
    func projection(
        _ template: ProjectionTemplate, _ role: String, outputs: Int, inputs: Int, _ place: Place,
        storedOutputs: Int? = nil, offset: Int = 0, stride: Int = 1, heads: HeadLayout? = nil, experts: Int? = nil
    ) throws(ArchitectureError) -> Projection {
        let extent = storedOutputs ?? outputs
        let front = template.isStacked ? [experts ?? 1] : []
        var outside = place
        if template.isStacked { outside.expert = nil }
        let weight = try tensor(
            template.weight, role, front + (template.isTransposed ? [inputs, extent] : [extent, inputs]), outside,
            isPrefixed: template.isPrefixed)
        var bias: String?
        if try holds(template.bias, place) {
            bias = try tensor(template.biasName, role, front + [extent], outside, isPrefixed: template.isPrefixed)
        }
        return Projection(
            weight: weight, bias: bias, outputAxis: template.isTransposed ? 1 : 0, outputOffset: offset,
            outputStride: stride, outputCount: outputs, inputCount: inputs, storedOutputs: extent,
            expert: template.isStacked ? place.expert : nil, headLayout: heads)
    }
}

extension String {
    /// With numbers in the places of words in braces; words without a number stay. Names are filled by the hundred thousand.
    func filled(_ number: (Substring) -> Int?) -> String {
        var (result, rest) = ("", self[...])
        while let open = rest.utf8.firstIndex(of: UInt8(ascii: "{")),
            let close = rest.utf8[open...].firstIndex(of: UInt8(ascii: "}"))
        {
            let next = rest.utf8.index(after: close)
            result += rest[..<open]
            if let number = number(rest[rest.utf8.index(after: open)..<close]) {
                result += String(number)
            } else {
                result += rest[open..<next]
            }
            rest = rest[next...]
        }
        return result.isEmpty ? String(rest) : result + rest
    }
}
