import LinearAlgebra
import Symmetries
import Synchronization

/// Gives a site's element, drawn from the derivation alone, so that it can be drawn again instead of kept: a bounded cache saves the
/// work where several tensors of a layer need the same one.
final class ElementSource: Sendable {
    private static let cacheBytes = 64 << 20

    private struct Cache {
        var elements: [String: Element] = [:]
        var order: [String] = []
        var bytes = 0
        /// Rotations by site and scalar type: every tensor needs them.
        var turns: [String: any Sendable] = [:]
    }

    private let derivation: Derivation
    let sampler: Sampler
    private let condition: Double
    let isInverse: Bool
    private let avoidsIdentity: Bool
    private let exponents: [String: [Int]]
    /// The gains that go into the weights of turned streams.
    let gains: FoldedGains
    private let cache = Mutex(Cache())

    /// - Parameters:
    ///   - isInverse: give A⁻¹ instead of A, to restore.
    ///   - avoidsIdentity: as the manifest's version has it.
    ///   - exponents: by site, the powers of two that go before its element (`Element.balanced`).
    ///   - gains: of the norms whose streams are turned.
    init(
        derivation: Derivation, sampler: Sampler, condition: Double, isInverse: Bool, avoidsIdentity: Bool,
        exponents: [String: [Int]], gains: FoldedGains
    ) {
        self.derivation = derivation
        self.sampler = sampler
        self.condition = condition
        self.isInverse = isInverse
        self.avoidsIdentity = avoidsIdentity
        self.exponents = exponents
        self.gains = gains
    }

    /// The rotation of a residual stream's site, in the arithmetic of some weights.
    func turn<Real: TurnScalar>(at site: Site, in type: Real.Type) throws(LinearAlgebraError) -> Turn<Real> {
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
    func permutation(at site: Site) throws(LinearAlgebraError) -> Monomial {
        guard case .monomial(let monomial) = try element(at: site) else {
            preconditionFailure("blocks are moved by permutations alone")
        }
        return isInverse ? monomial.inverse : monomial
    }

    func element(at site: Site) throws(LinearAlgebraError) -> Element {
        if let element = cache.withLock({ $0.elements[site.path] }) { return element }
        var stream = derivation.stream(site: site.path)
        let drawn = try site.group.sample(
            sampler, condition: condition, using: &stream, avoidsIdentity: avoidsIdentity)
        let balanced = exponents[site.path].map(drawn.balanced) ?? drawn
        let element = isInverse ? balanced.inverse : balanced
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
