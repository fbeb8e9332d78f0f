import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// The sites that act on what others have acted on: their elements are found first, from the outermost in, so that everything below can
/// be looked at as if they had not acted.
struct OuterSites: Sendable {
    /// Those of which the manifest speaks.
    let sites: [Site]
    let placement: Placement
    private let anchors: [String: [Site.Slice]]
    private let sketch: Sketch

    init(
        _ architecture: Architecture, _ allowance: RoundingAllowance, _ sketch: Sketch, _ probes: Probes, threads: Int
    ) throws {
        let sites = architecture.outerSites(allowance.residual).filter(allowance.covers).map(sketch.site)
        self.sites = sites
        self.sketch = sketch
        anchors = Self.anchors(of: sites, beside: architecture.sites)
        var placement = Placement.unmoved
        for kind in [Site.Kind.residual, .experts] {
            let own = sites.filter { $0.kind == kind && !$0.group.isRotation }
            let found = Mutex([String: Monomial]())
            let (known, anchors) = (placement, anchors)
            try WorkerThreads.forEach(own.count, threads: threads) { number, scratch in
                let element = Self.recovery(
                    of: own[number], at: anchors[own[number].path] ?? [], known, sketch, scratch)?.element
                if let element { found.withLock { $0[own[number].path] = element } }
            }
            for site in own { if let element = found.withLock({ $0[site.path] }) { placement.add(element, of: site) } }
        }
        let names = Set(sites.map(\.path))
        let blocks = architecture.attention.filter { $0.headSites.contains { names.contains($0.path) } }
        let found = Mutex([String: Monomial]())
        let known = placement
        try WorkerThreads.forEach(blocks.count, threads: threads) { number, scratch in
            let permutations = try HeadMatching(
                block: blocks[number], original: sketch.original, protected: sketch.protected, probes: probes,
                placement: known,
                scratch: scratch
            ).permutations()
            found.withLock { $0.merge(permutations) { first, _ in first } }
        }
        for site in sites where site.kind == .heads {
            if let permutation = found.withLock({ $0[site.path] }) { placement.add(permutation, of: site) }
        }
        self.placement = placement
    }

    /// The slices at which an outer site can be looked at by itself: of residual streams the tensors on which nothing else acts, of
    /// experts what the router keeps of them. All others are looked at by the sites that share them.
    func anchors(of site: Site) -> [Site.Slice] { anchors[site.path] ?? [] }

    private static func anchors(of sites: [Site], beside inner: [Site]) -> [String: [Site.Slice]] {
        var users: [String: Set<String>] = [:]
        for site in inner + sites {
            // Both axes of a tensor make it no anchor either.
            for slice in site.slices { users[slice.tensor, default: []].insert("\(site.path) \(slice.axis)") }
        }
        var anchors: [String: [Site.Slice]] = [:]
        for site in sites {
            switch site.kind {
            case .residual where site.group.isRotation: break
            case .residual: anchors[site.path] = site.slices.filter { users[$0.tensor]?.count == 1 }
            case .experts: anchors[site.path] = site.slices.filter { $0.part == .router }
            default: break
            }
        }
        return anchors
    }

    /// What an outer site's anchors say: they must be the original's under the element that was found, to the bit, or to rounding where
    /// they read a turned stream. That each head stands where it was found is what the sites of its channels prove, and that a stream
    /// was turned, what every tensor that meets it does.
    func worstError(at site: Site, _ scratch: WorkerScratch) -> WorstError {
        var worst = WorstError()
        if let stream = sketch.streams.first(where: { $0.site.path == site.path }) {
            if stream.matrix == nil { worst.include(.infinity, "what tells of its matrix") }
            return worst
        }
        guard site.kind != .heads else { return worst }
        func recovery(_ slices: [Site.Slice]) -> (any MonomialRecovery)? {
            Self.recovery(of: site, at: slices, placement, sketch, scratch)
        }
        guard let element = placement.element(at: site) else {
            let found = recovery(anchors(of: site))?.worstError()
            worst.include(found?.value ?? .infinity, found?.place ?? "its tensors do not fit")
            return worst
        }
        // One by one, as tables may be large.
        for slice in anchors(of: site) {
            let found = recovery([slice])?.worstError(under: element)
            worst.include(found?.value ?? .infinity, found?.place ?? "its tensors do not fit")
            sketch.original.releasePages(ofTensor: slice.tensor)
            sketch.protected.releasePages(ofTensor: slice.tensor)
        }
        return worst
    }

    private static func recovery(
        of site: Site, at slices: [Site.Slice], _ placement: Placement, _ sketch: Sketch, _ scratch: WorkerScratch
    ) -> (any MonomialRecovery)? {
        guard case .monomial(let count, let scales) = site.group,
            let parts = PartViews.all(
                of: slices, channels: 0..<count, sketch.original, sketch.protected, placement, undoesMoves: false)
        else { return nil }
        return slices.contains { sketch.isSketched($0.tensor) }
            ? TolerantRecovery(parts: parts, channels: count, scales: scales)
            : ExactRecovery(parts: parts, channels: count, law: .monomial(scales), scratch: scratch)
    }
}

/// Finds what permutes and scales channels, and says how well it explains what is there.
protocol MonomialRecovery {
    /// Nil where a channel comes from none of the original's.
    var element: Monomial? { get }
    func worstError() -> WorstError
    func worstError(under element: Monomial) -> WorstError
}

extension ExactRecovery: MonomialRecovery {}
extension TolerantRecovery: MonomialRecovery {}
