import Foundations

/// What a configuration says of a parameter: one value for all tensors, values along the layers, or either for tensors of some names.
public indirect enum MergeSetting: Sendable, Equatable {
    /// Yes and no are 1 and 0.
    case value(Double)
    /// Values at even distances from the first layer to the last, between which numbers are interpolated.
    case gradient([Double])
    /// The first condition that holds decides.
    case conditions([Condition])

    public struct Condition: Sendable, Equatable {
        /// Part of a tensor's name; nil, or `*`, for all tensors.
        public let filter: String?
        public let setting: MergeSetting

        public init(filter: String?, _ setting: MergeSetting) { (self.filter, self.setting) = (filter, setting) }
    }

    /// What it says of a tensor; nil where it says nothing.
    ///
    /// - Parameters:
    ///   - depth: 0 at the first layer of a slice, 1 at the last.
    ///   - kind: flags and whole numbers between two values are the former.
    func value(of tensor: String, depth: Double, as kind: MergeMethod.Parameter.Kind) -> Double? {
        switch self {
        case .value(let value): return value
        case .gradient(let values):
            guard let last = values.last else { return nil }
            let place = depth * Double(values.count - 1)
            let index = Int(place)
            guard index + 1 < values.count else { return last }
            guard kind == .number else { return values[index] }
            let share = place - Double(index)
            return (1 - share) * values[index] + share * values[index + 1]
        case .conditions(let conditions):
            let first = conditions.first { condition in
                condition.filter.map { $0 == "*" || $0.isEmpty || tensor.utf8.contains($0.utf8) } ?? true
            }
            return first?.setting.value(of: tensor, depth: depth, as: kind)
        }
    }

    /// Every number that it can give.
    var values: [Double] {
        switch self {
        case .value(let value): [value]
        case .gradient(let values): values
        case .conditions(let conditions): conditions.flatMap(\.setting.values)
        }
    }
}

extension MergeSetting {
    /// - Throws: `YAMLFault` for what is neither.
    init(_ yaml: YAMLValue, of parameter: String) throws(YAMLFault) {
        if let value = Self.scalar(yaml) {
            self = .value(value)
        } else if case .list(let list, _) = yaml, list.allSatisfy({ Self.scalar($0) != nil }) {
            self = .gradient(list.compactMap(Self.scalar))
        } else if case .list(let list, _) = yaml {
            var conditions: [Condition] = []
            for item in list { conditions.append(try Self.condition(item, of: parameter)) }
            self = .conditions(conditions)
        } else {
            self = .conditions([try Self.condition(yaml, of: parameter)])
        }
    }

    /// A number may stand in quotes, as for mergekit.
    private static func scalar(_ yaml: YAMLValue) -> Double? {
        if let number = yaml.number ?? yaml.bool.map({ $0 ? 1 : 0 }) { return number }
        return yaml.text.flatMap(Double.init).flatMap { $0.isFinite ? $0 : nil }
    }

    private static func condition(_ yaml: YAMLValue, of parameter: String) throws(YAMLFault) -> Condition {
        guard case .map(let members, let line) = yaml else {
            throw YAMLFault(
                line: yaml.line,
                reason: "\(parameter): expected a number, true or false, a list of these, or maps of filter and value")
        }
        var (filter, setting) = (String?.none, MergeSetting?.none)
        for member in members {
            switch member.key {
            case "filter": filter = member.value.isNull ? nil : try member.value.need("a part of tensors' names")
            case "value": setting = try MergeSetting(member.value, of: parameter)
            default:
                throw YAMLFault(
                    line: member.line,
                    reason: "key \(PrintableText.line(member.key)) is unknown; known are filter, value")
            }
        }
        guard let setting else { throw YAMLFault(line: line, reason: "\(parameter): a map without a value") }
        return Condition(filter: filter, setting)
    }
}
