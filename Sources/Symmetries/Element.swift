import LinearAlgebra

/// An element of a site's group, in the cheapest form that says what it does.
public indirect enum Element: Sendable {
    case linear(InvertibleMatrix)
    case torus(Torus)
    case monomial(Monomial)
    case rotation(Rotation)
    case product([Element])

    public var dimension: Int {
        switch self {
        case .linear(let a): a.matrix.rows
        case .torus(let torus): torus.pairing.rotaryDimensions
        case .monomial(let monomial): monomial.dimension
        case .rotation(let rotation): rotation.dimension
        case .product(let factors): factors.reduce(0) { $0 + $1.dimension }
        }
    }

    /// Whether no entry of the element's matrix lies more than 1/100 from the identity's: rounding would hide much of such a move.
    public var isNearIdentity: Bool {
        func near(_ x: Double, _ y: Double) -> Bool { (x - y).magnitude < 0.01 }
        switch self {
        case .linear(let a):
            return a.matrix.elements.enumerated().allSatisfy { place, value in
                near(value, place / a.matrix.columns == place % a.matrix.columns ? 1 : 0)
            }
        case .torus(let torus):
            return torus.real.allSatisfy { near($0, 1) } && torus.imaginary.allSatisfy { near($0, 0) }
        case .monomial(let monomial):
            return monomial.source == Array(0..<monomial.dimension) && monomial.scale.allSatisfy { near($0, 1) }
        // Larger than any that could lie there by chance.
        case .rotation: return false
        case .product(let factors): return factors.allSatisfy(\.isNearIdentity)
        }
    }

    public var inverse: Element {
        switch self {
        case .linear(let a):
            .linear(InvertibleMatrix(matrix: a.inverse, inverse: a.matrix, condition: a.condition))
        case .torus(let torus): .torus(torus.inverse)
        case .monomial(let monomial): .monomial(monomial.inverse)
        case .rotation(let rotation): .rotation(rotation.inverse)
        case .product(let factors): .product(factors.map(\.inverse))
        }
    }

    /// self · other: `other` acts first. Nil when the two do not belong to one group, and for rotations.
    public func composed(after other: Element) -> Element? {
        switch (self, other) {
        case (.linear(let a), .linear(let b)) where a.matrix.rows == b.matrix.rows:
            .linear(
                InvertibleMatrix(
                    matrix: a.matrix * b.matrix, inverse: b.inverse * a.inverse,
                    condition: a.condition * b.condition))
        case (.torus(let a), .torus(let b)) where a.pairing == b.pairing: .torus(a.composed(after: b))
        case (.monomial(let a), .monomial(let b)) where a.dimension == b.dimension:
            .monomial(a.composed(after: b))
        case (.product(let a), .product(let b)) where a.count == b.count:
            Element.product(zip(a, b).map { $0.composed(after: $1) })
        case (.linear, .monomial(let b)) where b.dimension == dimension: composed(after: .linear(b.invertibleMatrix))
        case (.monomial(let a), .linear) where a.dimension == other.dimension:
            Element.linear(a.invertibleMatrix).composed(after: other)
        case (.torus(let a), .monomial(let b)): b.torus(a.pairing).map { .torus(a.composed(after: $0)) }
        case (.monomial(let a), .torus(let b)): a.torus(b.pairing).map { .torus($0.composed(after: b)) }
        default: nil
        }
    }

    private static func product(_ factors: [Element?]) -> Element? {
        let present = factors.compactMap { $0 }
        return present.count == factors.count ? .product(present) : nil
    }

    /// What storing `A·V` and `O·A⁻¹` in few bits costs the product O·V, in multiples of rounding V and O themselves:
    /// `sqrt(Σ_i ‖A⁻¹[:, i]‖² ‖A[i, :]‖² / n)`. Exactly 1 for orthogonal, diagonal, D·Q, torus and monomial elements;
    /// `(κ - 1/κ) / (2 ln κ)` in the mean for U·diag(s)·Vᵀ with log-uniform s.
    public var roundingMultiple: Double {
        switch self {
        case .torus, .monomial, .rotation: return 1
        case .product(let factors): return factors.map(\.roundingMultiple).max() ?? 1
        case .linear(let a):
            let n = a.matrix.rows
            var sum = 0.0
            for i in 0..<n {
                var row = 0.0
                var column = 0.0
                for k in 0..<n {
                    row += a.matrix[i, k] * a.matrix[i, k]
                    column += a.inverse[k, i] * a.inverse[k, i]
                }
                sum += row * column
            }
            return (sum / Double(max(n, 1))).squareRoot()
        }
    }
}
