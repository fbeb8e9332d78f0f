/// An element of (C*)^p: multiplication of each rotary pair, read as a complex number, by `z = real + i·imaginary`.
///
/// It commutes with every rotation of RoPE, whatever the frequencies, scaling variant or position.
public struct Torus: Sendable, Equatable {
    public let pairing: ChannelPairing
    public let real: [Double]
    public let imaginary: [Double]

    /// - Precondition: one complex number per pair.
    public init(pairing: ChannelPairing, real: [Double], imaginary: [Double]) {
        precondition(real.count == pairing.pairCount && imaginary.count == pairing.pairCount)
        self.pairing = pairing
        self.real = real
        self.imaginary = imaginary
    }

    /// z⁻¹ = conj(z) / |z|².
    public var inverse: Torus { mapped { (x, y, squared) in (x / squared, -y / squared) } }

    /// The contragredient A⁻ᵀ: multiplication by 1/conj(z) = z / |z|².
    public var dual: Torus { mapped { (x, y, squared) in (x / squared, y / squared) } }

    public func composed(after other: Torus) -> Torus {
        var re: [Double] = []
        var im: [Double] = []
        for p in real.indices {
            re.append(real[p] * other.real[p] - imaginary[p] * other.imaginary[p])
            im.append(real[p] * other.imaginary[p] + imaginary[p] * other.real[p])
        }
        return Torus(pairing: pairing, real: re, imaginary: im)
    }

    private func mapped(_ body: (Double, Double, Double) -> (Double, Double)) -> Torus {
        var re: [Double] = []
        var im: [Double] = []
        for (x, y) in zip(real, imaginary) {
            let (a, b) = body(x, y, x * x + y * y)
            re.append(a)
            im.append(b)
        }
        return Torus(pairing: pairing, real: re, imaginary: im)
    }
}
