/// A group that acts on the `dimension` channels of a symmetry site and leaves the network's function as it is.
///
/// Every case is a subgroup of GL(dimension); METHODS of the field differ only in which elements they pick.
public indirect enum Group: Sendable, Equatable {
    /// GL(n): every invertible n x n matrix.
    case generalLinear(Int)
    /// (C*)^p: one non-zero complex number per rotary pair; the commutant of RoPE.
    case torus(ChannelPairing)
    /// {±1} per rotary pair: what a normalisation of each head with a gain leaves of the torus.
    case pairSigns(ChannelPairing)
    /// One complex number of modulus one per pair: what a root mean square taken after the rotation leaves of the torus.
    case torusPhases(ChannelPairing)
    /// (R>0) per rotary pair: scale moved between the gains of q_norm and k_norm.
    case pairScales(ChannelPairing)
    /// Permutations of n channels with one scale per channel.
    case monomial(Int, scales: ChannelScales)
    /// O(n), or what of it fixes the vector of ones; drawn in one of two forms.
    case orthogonal(Int, Rotation.Form, fixesOnes: Bool)
    /// Direct product, acting on consecutive runs of channels.
    case product([Group])

    /// Which scales may go with a channel of a monomial group.
    public enum ChannelScales: String, Sendable {
        /// None: a pointwise nonlinearity without homogeneity (GELU, SiLU, tanh) stands between.
        case unit
        case signs
        /// Positive: the nonlinearity is positively homogeneous (ReLU).
        case positive
        /// Any non-zero: the channel enters linearly (the `up` branch of a gated MLP).
        case signed
    }

    /// Number of channels acted on.
    public var dimension: Int {
        switch self {
        case .generalLinear(let n), .monomial(let n, _), .orthogonal(let n, _, _): n
        case .torus(let pairing), .torusPhases(let pairing), .pairSigns(let pairing), .pairScales(let pairing):
            pairing.rotaryDimensions
        case .product(let factors): factors.reduce(0) { $0 + $1.dimension }
        }
    }

    /// True when every element is a permutation with scales, so that rows can be rewritten one by one.
    public var isMonomial: Bool { if case .monomial = self { true } else { false } }

    /// Whether elements turn all channels of a residual stream.
    public var isRotation: Bool { if case .orthogonal = self { true } else { false } }

    /// Whether such an element is kept as one matrix.
    public var isDenseRotation: Bool { if case .orthogonal(_, .dense, _) = self { true } else { false } }

    /// Number of continuous real parameters (0 for a discrete group).
    public var parameterCount: Int {
        switch self {
        case .generalLinear(let n): n * n
        case .orthogonal(let n, _, let fixesOnes): fixesOnes ? (n - 1) * (n - 2) / 2 : n * (n - 1) / 2
        case .torus(let pairing): pairing.rotaryDimensions
        case .pairScales(let pairing), .torusPhases(let pairing): pairing.pairCount
        case .pairSigns: 0
        case .monomial(let n, let scales): scales == .unit || scales == .signs ? 0 : n
        case .product(let factors): factors.reduce(0) { $0 + $1.parameterCount }
        }
    }
}

extension Group: CustomStringConvertible {
    public var description: String {
        switch self {
        case .generalLinear(let n): "GL(\(n))"
        case .orthogonal(let n, _, let fixesOnes): "O(\(fixesOnes ? n - 1 : n))"
        case .torus(let pairing): "(C*)^\(pairing.pairCount)"
        case .torusPhases(let pairing): "U(1)^\(pairing.pairCount)"
        case .pairSigns(let pairing): "{±1}^\(pairing.pairCount)"
        case .pairScales(let pairing): "(R>0)^\(pairing.pairCount)"
        case .monomial(let n, .unit): "S_\(n)"
        case .monomial(let n, .signs): "S_\(n) x {±1}^\(n)"
        case .monomial(let n, .positive): "S_\(n) x (R>0)^\(n)"
        case .monomial(let n, .signed): "S_\(n) x (R*)^\(n)"
        case .product(let factors): factors.map(\.description).joined(separator: " x ")
        }
    }
}
