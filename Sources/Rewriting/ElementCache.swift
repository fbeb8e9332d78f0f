import LinearAlgebra
import Symmetries
import Synchronization

/// What the tensors of one run share: their sites' elements or the inverses of these, asked for when a tensor needs them and kept in bounded
/// memory, as several tensors of a layer need the same one.
final class ElementCache: Sendable {
    private static let cacheBytes = 64 << 20

    private struct Cache {
        var elements: [String: Element] = [:]
        var order: [String] = []
        var bytes = 0
        /// Rotations by site and scalar type: every tensor needs them.
        var turns: [String: any Sendable] = [:]
    }

    private let provider: any ElementProvider
    let isInverse: Bool
    /// The gains that go into the weights of turned streams.
    let gains: FoldedGains
    private let cache = Mutex(Cache())

    /// - Parameters:
    ///   - isInverse: give A⁻¹ instead of A.
    ///   - gains: of the norms whose streams are turned.
    init(_ provider: any ElementProvider, isInverse: Bool, gains: FoldedGains) {
        (self.provider, self.isInverse, self.gains) = (provider, isInverse, gains)
    }

    var isExact: Bool { provider.isExact }

    /// The rotation of a residual stream's site, in the arithmetic of some weights.
    func turn<Real: TurnScalar>(at site: Site, in type: Real.Type) throws -> Turn<Real> {
        let key = "\(site.path) \(type)"
        if let turn = cache.withLock({ $0.turns[key] as? Turn<Real> }) { return turn }
        guard case .rotation(let rotation) = try element(at: site) else {
            preconditionFailure("a stream is turned by rotations alone")
        }
        let made = Turn<Real>(rotation)
        return cache.withLock { cache in
            if let known = cache.turns[key] as? Turn<Real> { return known }
            cache.turns[key] = made
            return made
        }
    }

    /// What a site that moves blocks does to the original, also where it is to be undone.
    func permutation(at site: Site) throws -> Monomial {
        guard case .monomial(let monomial) = try element(at: site) else {
            preconditionFailure("blocks are moved by permutations alone")
        }
        return isInverse ? monomial.inverse : monomial
    }

    func element(at site: Site) throws -> Element {
        if let element = cache.withLock({ $0.elements[site.path] }) { return element }
        let given = try provider.element(at: site)
        let element = isInverse ? given.inverse : given
        if site.group.isRotation {
            // One for each stream, which every tensor needs.
            cache.withLock { $0.elements[site.path] = element }
            return element
        }
        let size = 16 * site.group.dimension * site.group.dimension
        guard case .generalLinear = site.group, size <= Self.cacheBytes else { return element }
        cache.withLock { cache in
            guard cache.elements.updateValue(element, forKey: site.path) == nil else { return }
            cache.order.append(site.path)
            cache.bytes += size
            while cache.bytes > Self.cacheBytes, let oldest = cache.order.first {
                cache.order.removeFirst()
                cache.elements[oldest] = nil
                cache.bytes -= size
            }
        }
        return element
    }
}
