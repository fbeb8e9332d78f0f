import Checkpoints
import Foundations
import Glibc

/// What a number of a config may be; everything else is refused where it is read, so that no arithmetic meets it.
enum NumberDomain {
    /// What f32 can hold.
    case any
    case nonNegative
    /// From the smallest normal number of f32 on.
    case positive
    /// Above 0, at most 1.
    case share
    /// Whole and at least 1.
    case count

    func contains(_ x: Double) -> Bool {
        let magnitude = Float(x.magnitude)
        guard magnitude.isFinite else { return false }
        return switch self {
        case .any: true
        case .nonNegative: x >= 0
        case .positive: x > 0 && magnitude.isNormal
        case .share: x > 0 && x <= 1
        case .count: x >= 1 && x == x.rounded()
        }
    }

    var expected: String {
        switch self {
        case .any: "a number that f32 can hold"
        case .nonNegative: "0 or a positive number"
        case .positive: "a positive number"
        case .share: "a share above 0, at most 1"
        case .count: "a positive whole number"
        }
    }
}

extension ConfigReader {
    /// A real number as a description says; nil where the config has none or null and there is no fallback.
    ///
    /// - Throws: `invalidConfigValue` for what is no number or, before its power is taken, lies outside of `domain`.
    func number(
        _ described: ModelDescription.Number, named name: String, in domain: NumberDomain, dimensions: [String: Int]
    ) throws(ArchitectureError) -> Double? {
        var found: Double?
        var key = described.keys.first ?? name
        if let stated = try agreed(described.keys) {
            found = try number(stated.value, stated.key, in: domain)
            key = stated.key
        } else if let null = described.keys.first(where: { lookup($0) != nil }) {
            // To transformers null is no number, and never its default.
            if described.isNullable || described.literal == nil && described.fallback == nil { return nil }
            throw invalid(null, .null, expected: domain.expected)
        }
        guard let found = found ?? described.literal ?? described.fallback?.value(in: dimensions).map(Double.init)
        else {
            return nil
        }
        let number = described.power == 1 ? found : pow(found, described.power)
        guard domain.contains(found), Float(number).isFinite else {
            throw .invalidConfigValue(
                path: path, key: key, found: "\(found)",
                expected: described.power == 1 ? domain.expected : "a number whose power \(described.power) is finite")
        }
        try check(described.checks, state: .double(found), as: key)
        return number
    }

    /// A value that is there, as a number.
    func number(
        _ value: JSONValue, _ key: String, in domain: NumberDomain
    ) throws(ArchitectureError) -> Double {
        guard let number = value.double, domain.contains(number) else {
            throw invalid(key, value, expected: domain.expected)
        }
        return number
    }

    /// Whether a flag of the description holds, for a layer where it depends on one.
    func flag(
        _ name: String, layer: Int?, dimensions: [String: Int], claims: Claims
    ) throws(ArchitectureError) -> Bool {
        if name == "first" { return layer == 0 }
        guard let flag = description.flags[name] else {
            throw .invalidDescription(family: description.family, field: "flags.\(name)")
        }
        let found = lookup(flag.key).flatMap { $0.isNull ? nil : $0 }
        let holds = try value(of: flag, found, layer: layer, dimensions: dimensions, claims: claims)
        try check(flag.checks, state: .bool(holds), as: "what follows from \(written(flag.key))")
        return holds
    }

    private func value(
        of flag: ModelDescription.Flag, _ found: JSONValue?, layer: Int?, dimensions: [String: Int], claims: Claims
    ) throws(ArchitectureError) -> Bool {
        for source in flag.sources {
            switch source {
            case .bool(let standard):
                // To transformers null is false, whatever stands where there is nothing.
                guard let found else { return lookup(flag.key) == nil && standard }
                guard let value = found.bool else { throw invalid(flag.key, found, expected: "true or false") }
                return value
            case .oneOf(let accepted, let standard): return found.map { accepted.contains($0) } ?? standard
            case .present(let standard): return found != nil || lookup(flag.key) == nil && standard
            case .differ(let first, let second): return first.value(in: dimensions) != second.value(in: dimensions)
            case .tensor(let tensor): return claims.contains(tensor)
            case .listed(let accepted):
                // An empty list counts as none (no_rope_layers of Llama 4).
                guard let found, found.array?.isEmpty != true else { continue }
                guard let list = found.array, let layer, layer < list.count else {
                    throw invalid(flag.key, found, expected: "a list with an entry for every layer")
                }
                return accepted.contains(list[layer])
            case .letters(let accepted):
                guard let found else { continue }
                guard let letters = found.string.map(Array.init), let layer, layer < letters.count else {
                    throw invalid(flag.key, found, expected: "a letter for every layer")
                }
                return accepted.contains(String(letters[layer]))
            case .repeated(let accepted):
                guard let found else { continue }
                guard let list = Self.repeated(found), let layer, layer < list.count else {
                    throw invalid(flag.key, found, expected: "kinds of layers with counts, one kind for every layer")
                }
                return accepted.contains(list[layer])
            case .index:
                guard let found else { continue }
                guard let list = found.array else { throw invalid(flag.key, found, expected: "a list of layers") }
                return list.contains { $0.int == layer }
            case .every(let period, let remainder):
                guard let period = period.value(in: dimensions), period > 0, let layer else { return false }
                return layer % period == (remainder.map { $0.value(in: dimensions) } ?? period - 1)
            case .from(let start):
                guard let start = start.value(in: dimensions), let layer else { return false }
                return layer >= start
            }
        }
        return false
    }

    /// `[[["global", "local"], 12]]`: each list as often as the number behind it says (GPT-Neo).
    private static func repeated(_ value: JSONValue) -> [JSONValue]? {
        var list: [JSONValue] = []
        for item in value.array ?? [] {
            guard let pair = item.array, pair.count == 2, let names = pair[0].array, let count = pair[1].int,
                (0...mostLayers).contains(count), names.count <= mostLayers
            else { return nil }
            for _ in 0..<count where list.count <= mostLayers { list += names }
        }
        return list
    }

    private static let mostLayers = 1 << 12
}
