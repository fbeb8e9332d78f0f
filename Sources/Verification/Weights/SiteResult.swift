import Symmetries

/// What was found at one site.
public struct SiteResult: Sendable, Equatable {
    public let path: String
    public let kind: Site.Kind
    /// Nil where all layers have a part in the site.
    public let layer: Int?
    /// The largest error of anything that the group leaves invariant, relative to what roundoff 1 would do to it.
    public private(set) var invariantError = 0.0
    public let tolerance: Double
    /// Some weight of the site differs.
    public internal(set) var isMoved = false
    /// Where the largest error was found, for the reader of a failure.
    public private(set) var worst = ""
    /// What rounding costs the site's products, in multiples of what it costs the original's, measured on the weights; 1 where
    /// elements mix no more than two channels.
    public internal(set) var roundingMultiple = 1.0
    public let allowedMultiple: Double
    /// All products vanish: any element keeps them, and nothing is proved.
    public internal(set) var isZero = false

    init(path: String, kind: Site.Kind, layer: Int?, tolerance: Double, allowedMultiple: Double) {
        (self.path, self.kind, self.layer) = (path, kind, layer)
        (self.tolerance, self.allowedMultiple) = (tolerance, allowedMultiple)
    }

    /// A NaN counts as infinitely wrong.
    mutating func include(_ error: Double, _ place: String) {
        let error = error.isNaN ? .infinity : error
        guard error > invariantError else { return }
        (invariantError, worst) = (error, place)
    }

    public var holds: Bool { invariantError <= tolerance && roundingMultiple <= allowedMultiple }
}

extension SiteResult: Encodable {
    private enum Key: String, CodingKey {
        case path, kind, layer
        case invariantError = "invariant_error"
        case tolerance
        case roundingMultiple = "rounding_multiple"
        case allowedMultiple = "allowed_multiple"
        case moved, zero, holds, worst
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(path, forKey: .path)
        try container.encode(kind.rawValue, forKey: .kind)
        try container.encode(layer, forKey: .layer)
        try container.encode(invariantError, forKey: .invariantError)
        try container.encode(tolerance, forKey: .tolerance)
        try container.encode(roundingMultiple, forKey: .roundingMultiple)
        try container.encode(allowedMultiple, forKey: .allowedMultiple)
        try container.encode(isMoved, forKey: .moved)
        try container.encode(isZero, forKey: .zero)
        try container.encode(holds, forKey: .holds)
        try container.encode(worst, forKey: .worst)
    }
}

/// The largest of many errors, and where it was.
struct WorstError {
    private(set) var value = 0.0
    private(set) var place = ""

    /// A NaN counts as infinitely wrong.
    mutating func include(_ error: Double, _ place: @autoclosure () -> String) {
        let error = error.isNaN ? .infinity : error
        guard error > value else { return }
        value = error
        self.place = place()
    }
}
