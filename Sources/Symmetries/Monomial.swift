import LinearAlgebra

/// A monomial matrix A = D·P, kept as one source channel and one scale per channel:
/// `(A x)[i] = scale[i] · x[source[i]]`.
public struct Monomial: Sendable, Equatable {
    public let source: [Int]
    public let scale: [Double]

    /// - Precondition: `source` is a permutation of its indices and as long as `scale`.
    public init(source: [Int], scale: [Double]) {
        precondition(source.count == scale.count, "one scale per channel")
        self.source = source
        self.scale = scale
    }

    public var dimension: Int { source.count }

    /// The same on channels of `width` consecutive indices.
    func widened(_ width: Int) -> Monomial {
        Monomial(
            source: source.flatMap { origin in (0..<width).map { origin * width + $0 } },
            scale: scale.flatMap { [Double](repeating: $0, count: width) })
    }

    /// A⁻¹: `(A⁻¹ y)[source[i]] = y[i] / scale[i]`.
    public var inverse: Monomial {
        var inverseSource = [Int](repeating: 0, count: dimension)
        var inverseScale = [Double](repeating: 1, count: dimension)
        for (channel, origin) in source.enumerated() {
            inverseSource[origin] = channel
            inverseScale[origin] = 1 / scale[channel]
        }
        return Monomial(source: inverseSource, scale: inverseScale)
    }

    /// A⁻ᵀ = D⁻¹·P: the same permutation with inverse scales.
    public var dual: Monomial { Monomial(source: source, scale: scale.map { 1 / $0 }) }

    /// P alone, for slices that the scales may not touch (the gate of a gated MLP).
    public var permutation: Monomial {
        Monomial(source: source, scale: [Double](repeating: 1, count: dimension))
    }

    /// The product A·B, which acts as B first and A second.
    public func composed(after other: Monomial) -> Monomial {
        Monomial(
            source: source.map { other.source[$0] },
            scale: zip(source, scale).map { $1 * other.scale[$0] })
    }

    /// The same as a matrix.
    var invertibleMatrix: InvertibleMatrix {
        var matrix = Matrix<Double>(rows: dimension, columns: dimension, repeating: 0)
        var inverse = matrix
        for (channel, origin) in source.enumerated() {
            matrix[channel, origin] = scale[channel]
            inverse[origin, channel] = 1 / scale[channel]
        }
        let sizes = scale.map(\.magnitude)
        return InvertibleMatrix(
            matrix: matrix, inverse: inverse, condition: (sizes.max() ?? 1) / (sizes.min() ?? 1))
    }

    /// The same as complex numbers; nil where it is no multiplication of pairs by them.
    func torus(_ pairing: ChannelPairing) -> Torus? {
        guard dimension == pairing.rotaryDimensions else { return nil }
        var (real, imaginary) = ([Double](), [Double]())
        for pair in 0..<pairing.pairCount {
            let (a, b) = pairing.channels(ofPair: pair)
            if source[a] == a, source[b] == b, scale[a] == scale[b] {
                real.append(scale[a])
                imaginary.append(0)
            } else if source[a] == b, source[b] == a, scale[a] == -scale[b] {
                real.append(0)
                imaginary.append(scale[b])
            } else {
                return nil
            }
        }
        return Torus(pairing: pairing, real: real, imaginary: imaginary)
    }

    /// True when every scale is ± a power of two, so that the action rounds nothing (short of over- and underflow).
    public var isExact: Bool { scale.allSatisfy { $0.isFinite && $0.significand == 1 } }
}
