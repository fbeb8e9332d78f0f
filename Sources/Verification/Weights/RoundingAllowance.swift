import Architectures
import Checkpoints
import LinearAlgebra
import Protections
import Symmetries

/// What the rounding of protected weights may cost, in multiples of rounding the original: predicted anew from the original's
/// weights, the groups, sampler and condition number, never taken from the manifest under test. Both proofs hold a model to it.
struct RoundingAllowance: Sendable {
    /// What would leave less of the weights than a tenth's error needs no proof: no claim goes further.
    private static let largestError = 0.1

    /// The sites that the manifest speaks of and that its samplers move.
    let sites: [Site]
    /// At the site where it is largest; 1 at least.
    let predicted: Double
    private let manifest: Manifest?
    private let multiples: [String: Double]

    init(_ manifest: Manifest?, _ architecture: Architecture, _ original: Checkpoint, threads: Int? = nil) throws {
        self.manifest = manifest
        guard let manifest else {
            (sites, predicted, multiples) = ([], 1, [:])
            return
        }
        let steps = manifest.steps
        sites = steps.sites(of: architecture)
        if manifest.isPredictedFromWeights {
            let prediction = try PredictedRounding(sites, in: original, steps: steps, threads: threads)
            (predicted, multiples) = (prediction.multiple, prediction.multiples)
        } else {
            let expected = try sites.map { ($0.path, try $0.group.expectedRoundingMultiple(steps.laws(at: $0))) }
            (predicted, multiples) = (expected.map(\.1).max() ?? 1, Dictionary(expected) { first, _ in first })
        }
    }

    /// The manifest of a protected model; nil when there is none.
    static func manifest(of checkpoint: Checkpoint) throws -> Manifest? {
        do { return try Manifest.read(from: checkpoint) } catch ProtectionError.notProtected { return nil }
    }

    /// What is said to have been done to residual streams.
    var residual: ResidualTransform { manifest?.steps.residual ?? .permutation }

    /// Whether all elements are said to round nothing: sites that were left alone have nothing to be rounded either.
    var isExact: Bool { manifest?.steps.isExact ?? false }

    /// Whether the manifest speaks of a site.
    func covers(_ site: Site) -> Bool { manifest?.steps.covers(site) ?? false }

    /// What a draw may cost a site: the mean over all draws, which is 1 where nothing is said of the site, times `1.5 + 5/√n`, as
    /// draws scatter the more the fewer channels n are mixed.
    func allowed(at site: Site, types: some Sequence<ElementType>) -> Double {
        let roundoff = types.compactMap(\.unitRoundoff).max() ?? 0
        let largest = Self.largestError / max(roundoff, .leastNormalMagnitude)
        let mixed = SiteBlock.blocks(of: site.group).filter { $0.law == .linear }.map(\.channels.count)
        let slack = 1.5 + 5 / Double(mixed.min() ?? 1).squareRoot()
        return slack * max(1, min(multiples[site.path] ?? 1, largest))
    }

    /// What the outputs' proof may widen its tolerance by: no more than sampler and condition number allow, and no more than the
    /// weights show.
    func multiple(_ original: Checkpoint, _ sketch: Sketch, _ placement: Placement) -> Double {
        var largest = 1.0
        for site in sites {
            let types = site.slices.compactMap { original.tensors[$0.tensor]?.type }
            let allowed = allowed(at: site, types: types)
            guard multiples[site.path] ?? 1 > 1, allowed > largest else { continue }
            largest = max(
                largest,
                min(allowed, Self.measuredMultiple(at: sketch.site(site), sketch.original, sketch.protected, placement))
            )
        }
        return largest
    }

    /// `sqrt(Σ_i ‖l'_i‖² ‖r'_i‖² / Σ_i ‖l_i‖² ‖r_i‖²)` over the channels that GL(n) mixes: what rounding either model costs the
    /// product of a site's sides.
    private static func measuredMultiple(
        at site: Site, _ original: Checkpoint, _ protected: Checkpoint, _ placement: Placement
    ) -> Double {
        var largest = 1.0
        for block in SiteBlock.blocks(of: site.group) where block.law == .linear {
            guard let parts = PartViews.all(of: site, channels: block.channels, original, protected, placement),
                let first = parts.first
            else { continue }
            for part in parts.dropFirst() {
                var (before, after) = (0.0, 0.0)
                for channel in 0..<block.channels.count {
                    let (left, right) = (part.squares(ofChannel: channel), first.squares(ofChannel: channel))
                    before += left.original * right.original
                    after += left.protected * right.protected
                }
                if before > 0, after.isFinite { largest = max(largest, (after / before).squareRoot()) }
            }
        }
        return largest
    }
}
