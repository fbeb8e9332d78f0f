import Architectures
import Checkpoints
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
    /// The same over the tensors that sites of a kind act on.
    public let displacementByKind: [Site.Kind: Double]

    /// Parts of the model that are copied and not understood: their tensors are the same to the bit, or problems.
    public let opaqueParts: [OpaquePart]

    /// Whether the second model has every tensor of the first in its shape and type.
    public let canBeEvaluated: Bool

    public var holds: Bool { problems.isEmpty && sites.allSatisfy(\.holds) }
    public var failures: [SiteResult] { sites.filter { !$0.holds } }
    public var unmoved: [SiteResult] { sites.filter { !$0.isMoved } }
    /// Sites whose products vanish: nothing is proved there.
    public var zero: [SiteResult] { sites.filter(\.isZero) }
    /// The site with the largest error in units of its tolerance.
    public var worst: SiteResult? {
        sites.max { $0.invariantError / $0.tolerance < $1.invariantError / $1.tolerance }
    }

    public var json: JSONValue {
        .object([
            "same_function": .bool(holds),
            "architecture": .string(family),
            "worst_invariant_error": .double(worst?.invariantError ?? 0),
            "tolerance": .double(worst?.tolerance ?? 0),
            "displacement": .double(displacement),
            "displacement_by_kind": .object(
                JSONObject(
                    displacementByKind.sorted { $0.key.rawValue < $1.key.rawValue }
                        .map { ($0.key.rawValue, .double($0.value)) })),
            "sites": .int(sites.count),
            "unmoved_sites": .array(unmoved.map { .string($0.path) }),
            "zero_sites": .array(zero.map { .string($0.path) }),
            "failed_sites": .array(failures.map(\.json)),
            "problems": .array(problems.map(JSONValue.string)),
            "differences": .array(differences.map(JSONValue.string)),
            "opaque_parts": .array(opaqueParts.map(\.json)),
            "results": .array(sites.map(\.json)),
        ])
    }
}
