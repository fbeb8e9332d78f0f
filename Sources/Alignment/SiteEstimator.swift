import Checkpoints
import LinearAlgebra
import Symmetries

/// Finds the element of one site from the base's weights and the protected ones.
struct SiteEstimator {
    let method: AlignmentMethod
    let base: Checkpoint
    let protected: Checkpoint
    let metric: ActivationMetric?
    /// What both models compute of the site's channels; empty where nothing was looked at.
    var seen: SiteActivations.Seen = [:]

    /// - Throws: `AlignmentError.noElement` where what is to be inverted cannot be.
    func estimate(_ site: Site) throws -> Estimate {
        do { return try method.candidates.isEmpty ? found(site) : nearest(site) } catch let error as LinearAlgebraError
        {
            throw AlignmentError.noElement(site: site.path, reason: "\(error)")
        }
    }

    private func found(_ site: Site) throws -> Estimate {
        let metric = method.usesActivations && method.weightShare == nil ? metric : nil
        var estimate = try found(
            site, SiteRows(site, in: protected, metric: metric), SiteRows(site, in: base, metric: metric))
        estimate.method = method.name
        return estimate
    }

    /// Of all candidates' estimates the one nearest to the base; one that finds nothing takes no part, unless none does.
    private func nearest(_ site: Site) throws -> Estimate {
        let (own, before) = (SiteRows(site, in: protected), SiteRows(site, in: base))
        var (best, failure): (Estimate?, (any Error)?)
        var tried: [Bool: [AlignmentMethod.Anchor]] = [:]
        for candidate in method.candidates where isUsable(candidate) {
            if site.group.isMonomial, !candidate.usesActivations {
                // Most methods tell channels alike.
                let alike = tried[candidate.permutesOnly, default: []]
                if alike.contains(candidate.anchor) { continue }
                tried[candidate.permutesOnly] = alike + [candidate.anchor]
            }
            let estimator = SiteEstimator(
                method: candidate, base: base, protected: protected, metric: metric, seen: seen)
            do {
                var estimate =
                    try candidate.usesActivations ? estimator.found(site) : estimator.found(site, own, before)
                let near = Nearness(estimate.element, own, before)
                estimate = Estimate(
                    element: estimate.element, agreement: near.agreement, method: candidate.name,
                    distance: near.distance)
                if near.distance < best?.distance ?? .infinity { best = estimate }
            } catch { failure = failure ?? error }
        }
        if let best { return best }
        throw failure ?? AlignmentError.noElement(site: site.path, reason: "no method looks at it")
    }

    /// Whether what a method looks at is there.
    private func isUsable(_ candidate: AlignmentMethod) -> Bool {
        !candidate.usesActivations || (candidate.weightShare == nil ? metric != nil : !seen.isEmpty)
    }

    private func found(_ site: Site, _ own: SiteRows, _ before: SiteRows) throws -> Estimate {
        let sides = Sides(left: own.direct, right: own.dual, left0: before.direct, right0: before.dual)
        guard !method.keepsFunction else {
            let element: Element
            if let share = method.weightShare, seen.values.contains(where: { !$0.isZero }) {
                element = try compared(site.group, own, before, share: share)
            } else {
                element = try self.element(of: site.group, sides, moved: own.moved, before.moved)
            }
            return Estimate(element: element, agreement: Nearness(element, own, before).agreement)
        }
        let element = try element(of: site.group, sides.first, moved: own.moved, before.moved)
        var dual: Element?
        if !site.group.isMonomial, sides.right.columns > 0 {
            dual = try self.element(of: site.group, sides.second, moved: own.moved, before.moved).contragredient
        }
        return Estimate(element: element, dual: dual, agreement: Nearness(element, dual: dual, own, before).agreement)
    }

    func element(
        of group: Group, _ sides: Sides, moved: Matrix<Double>, _ moved0: Matrix<Double>
    ) throws -> Element {
        switch group {
        case .generalLinear, .orthogonal: return .linear(try method.linear(sides))
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing), .pairScales(let pairing):
            return .torus(RotaryFit(method.rotary, sides.anchored(method.anchor)).torus(pairing, group))
        case .monomial(_, let scales):
            // Sides that are not looked at tell no places; sizes are told by both.
            let places = sides.anchored(method.anchor)
            let match = ChannelMatch(
                direct: ChannelProducts(sides.left, sides.left0), dual: ChannelProducts(sides.right, sides.right0),
                moved: ChannelProducts(moved, moved0), seesDirect: places.left.columns > 0,
                seesDual: places.right.columns > 0,
                seesMoved: method.anchor != .output || places.right.columns == 0)
            return .monomial(try match.monomial(scales, permutesOnly: method.permutesOnly))
        case .product(let factors):
            var (elements, start) = ([Element](), 0)
            for factor in factors {
                let range = start..<start + factor.dimension
                start = range.upperBound
                elements.append(
                    try element(of: factor, sides.rows(range), moved: moved.rows(range), moved0.rows(range)))
            }
            return .product(elements)
        }
    }
}

extension Element {
    /// A⁻ᵀ as an element.
    fileprivate var contragredient: Element {
        switch self {
        case .linear(let a):
            .linear(
                InvertibleMatrix(
                    matrix: a.inverse.transposed, inverse: a.matrix.transposed, condition: a.condition))
        case .torus(let torus): .torus(torus.dual)
        case .monomial(let monomial): .monomial(monomial.dual)
        case .rotation: self
        case .product(let factors): .product(factors.map(\.contragredient))
        }
    }
}

extension Sides {
    /// With the side that is not looked at empty, unless there is no other.
    fileprivate func anchored(_ anchor: AlignmentMethod.Anchor) -> Sides {
        let none = Matrix<Double>(rows: left.rows, columns: 0, elements: [])
        switch anchor {
        case .input where left.columns > 0: return Sides(left: left, right: none, left0: left0, right0: none)
        case .output where right.columns > 0: return Sides(left: none, right: right, left0: none, right0: right0)
        default: return self
        }
    }

    /// One side as if it were all there is.
    fileprivate var first: Sides { alone(left, left0) }
    fileprivate var second: Sides { alone(right, right0) }

    private func alone(_ own: Matrix<Double>, _ before: Matrix<Double>) -> Sides {
        let none = Matrix<Double>(rows: own.rows, columns: 0, elements: [])
        return Sides(left: own, right: none, left0: before, right0: none)
    }

    fileprivate func rows(_ range: Range<Int>) -> Sides {
        func part(_ matrix: Matrix<Double>) -> Matrix<Double> { matrix.rows > 0 ? matrix.rows(range) : matrix }
        return Sides(left: part(left), right: part(right), left0: part(left0), right0: part(right0))
    }
}
