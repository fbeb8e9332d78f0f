import Architectures
import Checkpoints
import Foundations
import Symmetries

/// What `verify` found: whether two checkpoints compute the same function, and how far their weights lie apart.
public struct VerificationReport: Sendable {
    public let family: String
    public let sites: [SiteResult]
    /// Everything else that must not differ and does: one sentence each.
    public let problems: [String]
    /// Files that differ without any effect on what a loader makes of the model: one sentence each.
    public let differences: [String]
    /// ‖θ_p - θ‖ / ‖θ‖ over all floating tensors.
    public let displacement: Double
    /// The same over the tensors that differ in any bit.
    public let movedDisplacement: Double
    /// The same over the tensors that sites of a kind act on.
    public let displacementByKind: [Site.Kind: Double]

    /// Parts of the model that are copied and not understood: their tensors are the same to the bit, or problems.
    public let opaqueParts: [OpaquePart]

    /// Whether the second model has every tensor of the first in its shape and type.
    public let canBeEvaluated: Bool

    public var holds: Bool { problems.isEmpty && sites.allSatisfy(\.holds) }
    public var failures: [SiteResult] { sites.filter { !$0.holds } }
    public var unmoved: [SiteResult] { sites.filter { !$0.isMoved } }
    /// What was found at the sites of one kind.
    public struct KindSummary: Sendable {
        public let kind: Site.Kind
        public let count, moved: Int
        /// The site with the largest error.
        public let worst: SiteResult
    }

    /// Kind by kind, those that the model has.
    public var kinds: [KindSummary] {
        Site.Kind.allCases.compactMap { kind in
            let sites = sites.filter { $0.kind == kind }
            return sites.max { $0.invariantError < $1.invariantError }.map {
                KindSummary(kind: kind, count: sites.count, moved: sites.filter(\.isMoved).count, worst: $0)
            }
        }
    }

    /// Sites whose products vanish: nothing is proved there.
    public var zero: [SiteResult] { sites.filter(\.isZero) }
    /// The site with the largest error in units of its tolerance.
    public var worst: SiteResult? {
        sites.max { $0.invariantError / $0.tolerance < $1.invariantError / $1.tolerance }
    }
}

extension VerificationReport: Encodable {
    private enum Key: String, CodingKey {
        case sameFunction = "same_function"
        case architecture
        case worstInvariantError = "worst_invariant_error"
        case tolerance, displacement
        case movedDisplacement = "displacement_of_moved"
        case displacementByKind = "displacement_by_kind"
        case sites
        case unmovedSites = "unmoved_sites"
        case zeroSites = "zero_sites"
        case failedSites = "failed_sites"
        case problems, differences
        case opaqueParts = "opaque_parts"
        case results
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(holds, forKey: .sameFunction)
        try container.encode(family, forKey: .architecture)
        try container.encode(worst?.invariantError ?? 0, forKey: .worstInvariantError)
        try container.encode(worst?.tolerance ?? 0, forKey: .tolerance)
        try container.encode(displacement, forKey: .displacement)
        try container.encode(movedDisplacement, forKey: .movedDisplacement)
        let byKind = displacementByKind.map { (name: $0.key.rawValue, value: $0.value) }.sorted { $0.name < $1.name }
        try container.encode(NamedValues(byKind), forKey: .displacementByKind)
        try container.encode(sites.count, forKey: .sites)
        try container.encode(unmoved.map(\.path), forKey: .unmovedSites)
        try container.encode(zero.map(\.path), forKey: .zeroSites)
        try container.encode(failures, forKey: .failedSites)
        try container.encode(problems, forKey: .problems)
        try container.encode(differences, forKey: .differences)
        try container.encode(opaqueParts, forKey: .opaqueParts)
        try container.encode(sites, forKey: .results)
    }
}
