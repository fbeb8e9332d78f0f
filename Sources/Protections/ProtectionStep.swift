import Architectures
import Symmetries

/// One method's act on a model, with every choice made: what a manifest tells of it.
public struct ProtectionStep: Sendable, Equatable {
    public let method: ProtectionMethod
    public let sampler: Sampler
    /// Condition number, or its bound, of what is drawn.
    public internal(set) var condition: Double
    /// The kinds of sites that are acted on.
    public internal(set) var siteKinds: Set<Site.Kind>
    /// What is done to residual streams, where they are acted on.
    public let residual: ResidualTransform
    /// Nil for all layers.
    public let layers: [Int]?
    /// Whether the permutations of hidden channels were solved for against a base, and not drawn.
    public let isAssigned: Bool
    /// Whether it looked at activations although it can do without.
    public let isCalibrated: Bool
    /// Of the method's parameters those that hold.
    public let parameters: [MethodParameter: Double]
    /// How the activations of MLPs are stated as polynomials; nil where they stay.
    public let ffn: PolynomialActivations.Form?

    public init(
        method: ProtectionMethod, sampler: Sampler, condition: Double, siteKinds: Set<Site.Kind>? = nil,
        residual: ResidualTransform = .permutation, layers: [Int]? = nil, isAssigned: Bool = false,
        isCalibrated: Bool = false, parameters: [MethodParameter: Double] = [:], ffn: PolynomialActivations.Form? = nil
    ) {
        (self.isAssigned, self.isCalibrated, self.parameters, self.ffn) = (isAssigned, isCalibrated, parameters, ffn)
        (self.method, self.sampler, self.condition) = (method, sampler, condition)
        (self.siteKinds, self.residual, self.layers) = (siteKinds ?? method.siteKinds, residual, layers)
    }

    /// What it does to weights before any element acts.
    public var change: (any WeightChange)? { method.change(given: parameters) }

    /// Its parameters as reports write them, `order 8`.
    public var settings: [String] {
        (parameters.map { "\($0.key.name) \($0.key.spelled($0.value))" } + (ffn.map { ["ffn \($0.rawValue)"] } ?? []))
            .sorted()
    }

    /// Whether the model computes something else afterwards.
    var changesWeights: Bool { change != nil || ffn != nil }
    /// Whether it looks at activations.
    var needsInputs: Bool { change?.needsInputs == true || ffn != nil }
    /// Whether it can.
    var usesInputs: Bool { change?.usesInputs == true || ffn != nil }

    /// The sites that it acts on.
    public func sites(of architecture: Architecture) -> [Site] {
        architecture.allSites(residual).filter(acts)
    }

    func acts(at site: Site) -> Bool { covers(site) && site.group.isMoved(by: sampler, condition: condition) }

    /// Whether a site is of the kinds and in the layers that are acted on.
    public func covers(_ site: Site) -> Bool {
        siteKinds.contains(site.kind) && site.isInside(layers.map(Set.init))
    }
}
