import Checkpoints
import LinearAlgebra
import Symmetries

/// Finds the element of one site from the base's weights and the protected ones.
struct SiteEstimator {
    let method: AlignmentMethod
    let base: Checkpoint
    let protected: Checkpoint
    let metric: ActivationMetric?

    /// - Throws: `AlignmentError.noElement` where what is to be inverted cannot be.
    func estimate(_ site: Site) throws -> Estimate {
        do { return try method.candidates.isEmpty ? found(site) : nearest(site) } catch let error as LinearAlgebraError
        {
            throw AlignmentError.noElement(site: site.path, reason: "\(error)")
        }
    }

    private func found(_ site: Site) throws -> Estimate {
        let metric = method.usesActivations ? metric : nil
        var estimate = try found(
            site, SiteRows(site, in: protected, metric: metric), SiteRows(site, in: base, metric: metric))
        estimate.method = method.name
        return estimate
    }

    /// Of all candidates' estimates the one nearest to the base; one that finds nothing takes no part, unless none does.
    private func nearest(_ site: Site) throws -> Estimate {
        let (own, before) = (SiteRows(site, in: protected), SiteRows(site, in: base))
        var (best, failure): (Estimate?, (any Error)?)
        var seen: [Bool: [AlignmentMethod.Anchor]] = [:]
        for candidate in method.candidates where !candidate.usesActivations || metric != nil {
            if site.group.isMonomial, !candidate.usesActivations {
                // Most methods tell channels alike.
                let alike = seen[candidate.permutesOnly, default: []]
                if alike.contains(candidate.anchor) { continue }
                seen[candidate.permutesOnly] = alike + [candidate.anchor]
            }
            let estimator = SiteEstimator(method: candidate, base: base, protected: protected, metric: metric)
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

    private func found(_ site: Site, _ own: SiteRows, _ before: SiteRows) throws -> Estimate {
        let sides = Sides(left: own.direct, right: own.dual, left0: before.direct, right0: before.dual)
        guard !method.keepsFunction else {
            let element = try element(of: site.group, sides, moved: own.moved, before.moved)
            return Estimate(element: element, agreement: Nearness(element, own, before).agreement)
        }
        let element = try element(of: site.group, sides.first, moved: own.moved, before.moved)
        var dual: Element?
        if !site.group.isMonomial, sides.right.columns > 0 {
            dual = try self.element(of: site.group, sides.second, moved: own.moved, before.moved).contragredient
        }
        return Estimate(element: element, dual: dual, agreement: Nearness(element, dual: dual, own, before).agreement)
    }

    private func element(
        of group: Group, _ sides: Sides, moved: Matrix<Double>, _ moved0: Matrix<Double>
    ) throws -> Element {
        switch group {
        case .generalLinear, .orthogonal: return .linear(try method.linear(sides))
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing), .pairScales(let pairing):
            return .torus(RotaryFit(method.rotary, sides.anchored(method.anchor)).torus(pairing, group))
        case .monomial(_, let scales):
            return .monomial(try monomial(scales, sides, moved, moved0))
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

    /// The assignment of channels with the largest sum of cosines, and of each its sign and size.
    private func monomial(
        _ scales: Group.ChannelScales, _ sides: Sides, _ moved: Matrix<Double>, _ moved0: Matrix<Double>
    ) throws -> Monomial {
        let count = max(sides.left.rows, moved.rows)
        // Sides that are not looked at tell no places; sizes are told by both.
        let seen = sides.anchored(method.anchor)
        let products = method.permutesOnly ? Self.products : Self.cosines
        let signed = products(seen.left, seen.left0) + products(seen.right, seen.right0)
        let none = Matrix<Double>(rows: count, columns: count, repeating: 0)
        let plain = method.anchor == .output && seen.right.columns > 0 ? none : products(moved, moved0)
        let hasSigns = !method.permutesOnly && (scales == .signs || scales == .signed)
        var costs = Matrix<Float>(rows: count, columns: count, repeating: 0)
        for i in 0..<count {
            for j in 0..<count {
                let score = hasSigns ? signed[i, j].magnitude : signed[i, j]
                costs[i, j] = Float(-(score + plain[i, j]))
            }
        }
        let source = try LinearAssignment(minimising: costs).columns
        func ratio(_ i: Int, _ j: Int, _ a: Matrix<Double>, _ b: Matrix<Double>) -> Double? {
            let (own, before) = (dot(a.row(i), a.row(i)), dot(b.row(j), b.row(j)))
            return own > 0 && before > 0 ? (own / before).squareRoot() : nil
        }
        let scale = source.enumerated().map { i, j -> Double in
            let sign: Double = hasSigns && signed[i, j] < 0 ? -1 : 1
            guard !method.permutesOnly, scales == .positive || scales == .signed else { return sign }
            let (up, down) = (ratio(i, j, sides.left, sides.left0), ratio(i, j, sides.right, sides.right0))
            let size = up.flatMap { up in down.map { (up / $0).squareRoot() } } ?? up ?? down.map { 1 / $0 } ?? 1
            return sign * size
        }
        return Monomial(source: source, scale: scale)
    }

    /// The inner products of every row of one matrix with every row of the other.
    private static func products(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Matrix<Double> {
        guard a.columns > 0, a.columns == b.columns else {
            return Matrix(rows: a.rows, columns: b.rows, repeating: 0)
        }
        return a * b.transposed
    }

    /// Of every row of one matrix with every row of the other; 0 where one of them is.
    static func cosines(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Matrix<Double> {
        func normalized(_ matrix: Matrix<Double>) -> Matrix<Double> {
            var elements: [Double] = []
            for i in 0..<matrix.rows {
                let size = dot(matrix.row(i), matrix.row(i)).squareRoot()
                elements += matrix.row(i).map { size > 0 ? $0 / size : 0 }
            }
            return Matrix(rows: matrix.rows, columns: matrix.columns, elements: elements)
        }
        return products(normalized(a), normalized(b))
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
