/// Tensors that the members of an object name.
extension Fields {
    private func name(_ text: String) -> String {
        let name = text.hasPrefix("^") ? String(text.dropFirst()) : place.path + text
        return name.filled { word in
            switch word {
            case "layer": place.weights
            case "expert": place.expert
            case "head": place.head
            default: nil
            }
        }
    }

    func demand(_ text: String, _ role: String, _ shape: [Int?]?, isPrefixed: Bool = true) -> Claims.Demand {
        .init(name: name(text), role: role, layer: place.weights, shape: shape, isPrefixed: isPrefixed)
    }

    /// The stored name of a tensor that must be there.
    func tensor(
        _ text: String, _ role: String, _ shape: [Int], isPrefixed: Bool = true
    ) throws(ArchitectureError) -> String {
        try require(demand(text, role, shape, isPrefixed: isPrefixed))
    }

    /// The stored name of the tensor that is named at a key, if one is.
    mutating func tensor(at key: String, _ role: String, _ shape: [Int]) throws(ArchitectureError) -> String? {
        guard let text = try optionalString(key) else { return nil }
        return try tensor(text, role, shape)
    }

    func require(_ demand: Claims.Demand) throws(ArchitectureError) -> String {
        try scope.subject?.claims.require(demand) ?? ""
    }

    /// The stored name, or nil where there is no such tensor.
    func find(_ demand: Claims.Demand) throws(ArchitectureError) -> String? {
        guard let subject = scope.subject else { return "" }
        return try subject.claims.find(demand)
    }

    /// The outputs of a stored map.
    func firstExtent(_ stored: String) -> Int? {
        guard let subject = scope.subject else { return 1 }
        return subject.claims.shape(ofStored: stored)?.first
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
