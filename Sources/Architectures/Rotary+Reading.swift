extension RotaryKind {
    /// The rotary embedding that an attention block names, if any.
    static func chosen(_ f: inout Fields) throws(ArchitectureError) -> RotaryKind? {
        let name = try f.choice("rotary", Fields.value) { f throws(ArchitectureError) in
            let name = try f.string(Fields.value)
            guard f.scope.vocabulary.rotaries.contains(name) else { throw f.fault(Fields.value) }
            return name
        }
        return name.flatMap { f.scope.subject?.description.rotaries[$0] }
    }

    /// What scores are multiplied by beside their scale.
    func scoreFactor(_ f: Fields) throws(ArchitectureError) -> Double {
        guard scalesScores, let subject = f.scope.subject else { return 1 }
        return try subject.reader.scoreFactor(self)
    }
}

extension Rotary {
    /// Nil where there is no model.
    init?(_ kind: RotaryKind, _ f: Fields, headDimension length: Int) throws(ArchitectureError) {
        guard let subject = f.scope.subject else { return nil }
        var count = try f.extent(kind.dimensions)
        var key = f.configKey(of: kind.dimensions)
        if let fraction = kind.fraction {
            let whole = try f.extent(kind.fractionOf)
            if let share = try f.number(fraction, in: .share) {
                let shared = Int(Double(whole) * share)
                guard count == whole || count == shared else {
                    throw .contradiction(
                        path: subject.claims.path, key: "partial_rotary_factor",
                        found: "\(share) of \(whole) channels", other: key, otherFound: "\(count)")
                }
                count = shared
                key = "partial_rotary_factor"
            } else if count != whole, subject.reader.lookup("partial_rotary_factor") != nil {
                // To transformers a null keeps the other spelling from being read.
                throw subject.reader.invalid(
                    "partial_rotary_factor", .null, expected: NumberDomain.share.expected)
            }
        }
        let offset = try f.extent(kind.offset)
        guard offset + count <= length else {
            throw f.invalid(
                key, "such that \(count) channels are rotated", "at most the \(length) channels of a head")
        }
        self = try subject.reader.rotary(kind, dimensions: count, offset: offset, key: key)
    }
}
