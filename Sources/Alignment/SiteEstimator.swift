import Checkpoints
import Glibc
import LinearAlgebra
import Symmetries

/// Finds the element of one site from the base's weights and the protected ones.
struct SiteEstimator {
    let method: AlignmentMethod
    let base: Checkpoint
    let protected: Checkpoint

    /// - Throws: `AlignmentError.noElement` where what is to be inverted cannot be.
    func estimate(_ site: Site) throws -> Estimate {
        do { return try found(site) } catch let error as LinearAlgebraError {
            throw AlignmentError.noElement(site: site.path, reason: "\(error)")
        }
    }

    private func found(_ site: Site) throws -> Estimate {
        let (own, before) = (SiteRows(site, in: protected), SiteRows(site, in: base))
        let sides = Sides(left: own.direct, right: own.dual, left0: before.direct, right0: before.dual)
        guard !method.keepsFunction else {
            let element = try element(of: site.group, sides, moved: own.moved, before.moved)
            return Estimate(element: element, agreement: Self.agreement(element, nil, own, before))
        }
        let element = try element(of: site.group, sides.first, moved: own.moved, before.moved)
        var dual: Element?
        if !site.group.isMonomial, sides.right.columns > 0 {
            dual = try self.element(of: site.group, sides.second, moved: own.moved, before.moved).contragredient
        }
        return Estimate(element: element, dual: dual, agreement: Self.agreement(element, dual, own, before))
    }

    private func element(
        of group: Group, _ sides: Sides, moved: Matrix<Double>, _ moved0: Matrix<Double>
    ) throws -> Element {
        switch group {
        case .generalLinear, .orthogonal: return .linear(try method.linear(sides))
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing), .pairScales(let pairing):
            return .torus(Self.torus(pairing, group, sides.anchored(method.anchor)))
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

    /// z of each pair: `k = z·k₀` on one side and `q = z/|z|²·q₀` on the other tell the same phase, and the modulus once each.
    private static func torus(_ pairing: ChannelPairing, _ group: Group, _ sides: Sides) -> Torus {
        var (real, imaginary): ([Double], [Double]) = ([], [])
        for pair in 0..<pairing.pairCount {
            let (x, y) = pairing.channels(ofPair: pair)
            func product(_ a: Matrix<Double>, _ b: Matrix<Double>) -> (re: Double, im: Double, size: Double) {
                let re = dot(a.row(x), b.row(x)) + dot(a.row(y), b.row(y))
                let im = dot(a.row(y), b.row(x)) - dot(a.row(x), b.row(y))
                let size = dot(b.row(x), b.row(x)) + dot(b.row(y), b.row(y))
                return size > 0 ? (re / size, im / size, 1) : (0, 0, 0)
            }
            let (left, right) = (product(sides.left, sides.left0), product(sides.right, sides.right0))
            let (first, second) = (hypot(left.re, left.im), hypot(right.re, right.im))
            // The side that is not there says nothing.
            var modulus = first > 0 && second > 0 ? (first / second).squareRoot() : first > 0 ? first : 1 / second
            if !(modulus.isFinite && modulus > 0) { modulus = 1 }
            func unit(_ part: (re: Double, im: Double, size: Double), _ size: Double) -> (Double, Double) {
                size > 0 ? (part.re / size, part.im / size) : (0, 0)
            }
            let ((a, b), (c, d)) = (unit(left, first), unit(right, second))
            let angle = atan2(b + d, a + c)
            switch group {
            case .pairSigns: (real, imaginary) = (real + [a + c < 0 ? -1 : 1], imaginary + [0])
            case .pairScales: (real, imaginary) = (real + [modulus], imaginary + [0])
            case .torusPhases: (real, imaginary) = (real + [cos(angle)], imaginary + [sin(angle)])
            default: (real, imaginary) = (real + [modulus * cos(angle)], imaginary + [modulus * sin(angle)])
            }
        }
        return Torus(pairing: pairing, real: real, imaginary: imaginary)
    }

    /// The assignment of channels with the largest sum of cosines, and of each its sign and size.
    private func monomial(
        _ scales: Group.ChannelScales, _ sides: Sides, _ moved: Matrix<Double>, _ moved0: Matrix<Double>
    ) throws -> Monomial {
        let count = max(sides.left.rows, moved.rows)
        // Sides that are not looked at tell no places; sizes are told by both.
        let seen = sides.anchored(method.anchor)
        let signed = Self.cosines(seen.left, seen.left0) + Self.cosines(seen.right, seen.right0)
        let none = Matrix<Double>(rows: count, columns: count, repeating: 0)
        let plain = method.anchor == .output && seen.right.columns > 0 ? none : Self.cosines(moved, moved0)
        let hasSigns = scales == .signs || scales == .signed
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
            guard scales == .positive || scales == .signed else { return sign }
            let (up, down) = (ratio(i, j, sides.left, sides.left0), ratio(i, j, sides.right, sides.right0))
            let size = up.flatMap { up in down.map { (up / $0).squareRoot() } } ?? up ?? down.map { 1 / $0 } ?? 1
            return sign * size
        }
        return Monomial(source: source, scale: scale)
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
        guard a.columns > 0, a.columns == b.columns else {
            return Matrix(rows: a.rows, columns: b.rows, repeating: 0)
        }
        return normalized(a) * normalized(b).transposed
    }

    /// The cosine of all that the site holds in both models, once the element is undone.
    private static func agreement(
        _ element: Element, _ dual: Element?, _ own: SiteRows, _ before: SiteRows
    ) -> Double {
        var (inner, size, size0) = (0.0, 0.0, 0.0)
        for (representation, rows, rows0) in [
            (Representation.direct, own.direct, before.direct), (.dual, own.dual, before.dual),
            (.permutation, own.moved, before.moved),
        ] where rows.columns > 0 && rows.columns == rows0.columns {
            var start = 0
            let acting = representation == .dual ? dual ?? element : element
            for action in acting.inverse.actions(representation) {
                let range = start..<start + action.length
                start = range.upperBound
                let back = undone(rows.rows(range), action)
                // Each side counts as much as the other.
                let (a, b) = (back.squaredNorm, rows0.rows(range).squaredNorm)
                guard a > 0, b > 0 else { continue }
                inner += zip(back.elements, rows0.rows(range).elements).reduce(0) { $0 + $1.0 * $1.1 } / b
                size += a / b
                size0 += 1
            }
        }
        return size > 0 && size0 > 0 ? inner / (size * size0).squareRoot() : 0
    }

    private static func undone(_ rows: Matrix<Double>, _ action: AxisAction) -> Matrix<Double> {
        guard case .monomial(let monomial) = action else { return action.matrix * rows }
        var elements: [Double] = []
        elements.reserveCapacity(rows.elements.count)
        for (origin, scale) in zip(monomial.source, monomial.scale) { elements += rows.row(origin).map { $0 * scale } }
        return Matrix(rows: rows.rows, columns: rows.columns, elements: elements)
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
