/// A number that a method takes besides what its sampler does.
public struct MethodParameter: Sendable, Hashable {
    /// Of the command line's option, the recipe's key and the manifest.
    public let name: String
    /// One line.
    public let summary: String
    /// What holds where nothing is said; nil where the method then does without.
    public let standard: Double?
    public let least, most: Double
    /// Whether nothing between whole numbers will do.
    public let isWhole: Bool

    public init(_ name: String, _ summary: String, standard: Double? = nil, _ range: ClosedRange<Double>) {
        (self.name, self.summary, self.standard) = (name, summary, standard)
        (least, most, isWhole) = (range.lowerBound, range.upperBound, false)
    }

    /// A whole number, which has no value where nothing is said.
    public init(_ name: String, _ summary: String, wholeIn range: ClosedRange<Int>) {
        (self.name, self.summary, standard) = (name, summary, nil)
        (least, most, isWhole) = (Double(range.lowerBound), Double(range.upperBound), true)
    }

    /// A value as reports write it.
    public func spelled(_ value: Double) -> String { isWhole ? "\(Int(value))" : "\(value)" }

    func admits(_ value: Double) -> Bool {
        value >= least && value <= most && (!isWhole || value == value.rounded())
    }
}

extension MethodParameter {
    /// Share of a head's directions, or rotary pairs, that are mirrored, those of largest energy.
    public static let reflected = MethodParameter(
        "reflected", "share of each head's directions that are mirrored", standard: 0.5, 0.001...1)
}

extension ProtectionMethod {
    /// What holds of its parameters where some are given.
    func values(_ given: [MethodParameter: Double]) throws(ProtectionError) -> [MethodParameter: Double] {
        for (parameter, value) in given {
            guard parameters.contains(parameter) else {
                throw .unknownParameter(method: name, parameter: parameter.name, known: parameters.map(\.name))
            }
            guard parameter.admits(value) else { throw .parameterOutOfRange(parameter, value) }
        }
        var values = given
        for parameter in parameters where values[parameter] == nil { values[parameter] = parameter.standard }
        return values
    }
}
