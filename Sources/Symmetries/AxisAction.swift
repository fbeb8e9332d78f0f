import LinearAlgebra

/// How an element of a site acts along the axis of one tensor.
///
/// With M the matrix of the representation, the axis' index contracts with it: `new[.. i ..] = Σ_j M[i, j] old[.. j ..]`.
/// Rows of a weight thus become `M·W`; columns become `W·Mᵀ`.
public enum Representation: String, Sendable {
    /// M = A.
    case direct
    /// M = A⁻ᵀ: on columns that is `W·A⁻¹`.
    case dual
    /// M = the permutation inside a monomial A.
    case permutation
}

/// One element's action along one axis, over a run of `length` channels.
public enum AxisAction: Sendable {
    case dense(Matrix<Double>)
    case torus(Torus)
    case monomial(Monomial)
    case rotation(Rotation)

    public var length: Int {
        switch self {
        case .dense(let matrix): matrix.rows
        case .torus(let torus): torus.pairing.rotaryDimensions
        case .monomial(let monomial): monomial.dimension
        case .rotation(let rotation): rotation.dimension
        }
    }

    /// M as a dense matrix.
    public var matrix: Matrix<Double> {
        switch self {
        case .dense(let matrix): return matrix
        case .torus(let torus):
            var matrix = Matrix<Double>(rows: length, columns: length, repeating: 0)
            for p in 0..<torus.pairing.pairCount {
                let (a, b) = torus.pairing.channels(ofPair: p)
                matrix[a, a] = torus.real[p]
                matrix[a, b] = -torus.imaginary[p]
                matrix[b, a] = torus.imaginary[p]
                matrix[b, b] = torus.real[p]
            }
            return matrix
        case .rotation(let rotation): return rotation.matrix
        case .monomial(let monomial):
            var matrix = Matrix<Double>(rows: length, columns: length, repeating: 0)
            for i in 0..<length { matrix[i, monomial.source[i]] = monomial.scale[i] }
            return matrix
        }
    }
}

extension Element {
    /// The actions where each channel is `width` consecutive indices.
    public func actions(_ representation: Representation, width: Int) -> [AxisAction] {
        let actions = actions(representation)
        guard width > 1 else { return actions }
        return actions.map { action in
            guard case .monomial(let monomial) = action else {
                preconditionFailure("only channels that are not mixed may be wider than one index")
            }
            return .monomial(monomial.widened(width))
        }
    }

    /// The actions of this element in a representation, over consecutive runs of channels.
    public func actions(_ representation: Representation) -> [AxisAction] {
        switch (self, representation) {
        case (.linear(let a), .dual): [.dense(a.inverse.transposed)]
        case (.linear(let a), _): [.dense(a.matrix)]
        case (.torus(let torus), .dual): [.torus(torus.dual)]
        case (.torus(let torus), _): [.torus(torus)]
        case (.monomial(let monomial), .direct): [.monomial(monomial)]
        case (.monomial(let monomial), .dual): [.monomial(monomial.dual)]
        case (.monomial(let monomial), .permutation): [.monomial(monomial.permutation)]
        // An orthogonal matrix is its own dual.
        case (.rotation(let rotation), _): [.rotation(rotation)]
        case (.product(let factors), _): factors.flatMap { $0.actions(representation) }
        }
    }
}
