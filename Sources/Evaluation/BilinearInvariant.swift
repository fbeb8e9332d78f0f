import LinearAlgebra
import Symmetries

/// Compares what GL(n) and tori leave invariant: the products of a site's two sides.
///
/// With L the side that carries A⁻ᵀ (queries, output columns; n x p) and R the one that carries A (keys, values; n x p'), biases as
/// further columns, GL(n) leaves `Lᵀ·R` as it is; a rotary pair (a, b) leaves `L_aᵀR_a + L_bᵀR_b` and `L_aᵀR_b - L_bᵀR_a`. The p x p'
/// products are never formed: they are compared under Gaussian probes from either side, column by column, so that a single wrong
/// entry stands out against its own column. An error survives r = 8 probes unseen with probability zero, and below
/// a tenth of its size with probability below 1e-8.
struct BilinearInvariant {
    static let probes = 8

    let site: Site
    let original: WeightReader
    let protected: WeightReader
    let tolerance: Tolerance

    func worstError() throws -> WorstError {
        var worst = WorstError()
        let parts = Set(site.slices.map(\.part))
        let direct = parts.first { part in site.slices.contains { $0.part == part && $0.representation == .direct } }
        guard let direct, let right = original.part(direct, of: site), let right2 = protected.part(direct, of: site)
        else {
            worst.include(.infinity, "its tensors do not fit")
            return worst
        }
        for dual in parts where dual != direct {
            guard let left = original.part(dual, of: site), let left2 = protected.part(dual, of: site) else {
                worst.include(.infinity, "its tensors do not fit")
                return worst
            }
            try compare(left, right, with: left2, right2, side: "\(direct)", &worst)
            try compare(right, left, with: right2, left2, side: "\(dual)", &worst)
            // Where the norm of a pair counts, each side's products with itself must stay, too.
            if case .torusPhases = site.group {
                try compare(left, left, with: left2, left2, side: "\(dual) norms", &worst)
                try compare(right, right, with: right2, right2, side: "\(direct) norms", &worst)
            }
        }
        return worst
    }

    /// Probes `a` and compares with every column of `b`.
    private func compare(
        _ a: Matrix<Double>, _ b: Matrix<Double>, with a2: Matrix<Double>, _ b2: Matrix<Double>, side: String,
        _ worst: inout WorstError
    ) throws {
        guard a.columns == a2.columns, b.columns == b2.columns else {
            worst.include(.infinity, "its tensors do not fit")
            return
        }
        // Public numbers: the probes need no secret, only to be the same for both models.
        var stream = KeyedRandomStream(secret: [], info: "mergeproof/probes/\(site.path)/\(side)")
        let probe = stream.gaussianMatrix(rows: a.columns, columns: Self.probes)
        let (s, s2) = (a * probe, a2 * probe)
        for block in site.group.blocks {
            let (found, scale) = block.columnErrors(s, b, s2, b2, floor: tolerance.floor)
            for column in found.indices {
                worst.include(Self.relative(found[column], to: scale[column]), "\(side), input \(column)")
            }
        }
    }
}

extension BilinearInvariant {
    /// Nothing is proved of what is not finite: that counts as infinitely wrong.
    private static func relative(_ error: Double, to scale: Double) -> Double {
        guard error.isFinite, scale.isFinite else { return .infinity }
        return scale > 0 ? error / scale : error > 0 ? .infinity : 0
    }
}

/// A run of channels that one irreducible factor of a group mixes.
struct ChannelBlock {
    enum Kind { case linear, pair }
    let kind: Kind
    let channels: [Int]

    /// Per column of b: the norm over probes of the change of the invariants, and what that norm would typically be.
    func columnErrors(
        _ s: Matrix<Double>, _ b: Matrix<Double>, _ s2: Matrix<Double>, _ b2: Matrix<Double>, floor: Double
    ) -> (found: [Double], scale: [Double]) {
        let columns = b.columns
        var squares = [Double](repeating: 0, count: columns)
        var norms = [Double](repeating: 0, count: columns)
        var probeNorm = 0.0
        for channel in channels {
            for probe in 0..<s.columns { probeNorm += s[channel, probe] * s[channel, probe] }
            for column in 0..<columns { norms[column] += b[channel, column] * b[channel, column] }
        }
        for probe in 0..<s.columns {
            for term in terms {
                var change = [Double](repeating: 0, count: columns)
                for (first, second, sign) in term {
                    let (x, x2) = (sign * s[first, probe], sign * s2[first, probe])
                    b.elements.withUnsafeBufferPointer { row in
                        b2.elements.withUnsafeBufferPointer { row2 in
                            let offset = second * columns
                            for column in 0..<columns {
                                change[column] += x2 * row2[offset + column] - x * row[offset + column]
                            }
                        }
                    }
                }
                for column in 0..<columns { squares[column] += change[column] * change[column] }
            }
        }
        let count = Double(max(channels.count, 1))
        let scale = norms.map { (probeNorm * ($0 + count * floor * floor) / count).squareRoot() }
        return (squares.map { $0.squareRoot() }, scale)
    }

    /// Each invariant as a sum over (channel of s, channel of b, sign).
    private var terms: [[(Int, Int, Double)]] {
        switch kind {
        case .linear: [channels.map { ($0, $0, 1) }]
        case .pair:
            [
                [(channels[0], channels[0], 1), (channels[1], channels[1], 1)],
                [(channels[0], channels[1], 1), (channels[1], channels[0], -1)],
            ]
        }
    }
}

extension Group {
    /// The blocks of a group of linear or toral factors.
    var blocks: [ChannelBlock] {
        switch self {
        case .generalLinear(let n): return [ChannelBlock(kind: .linear, channels: Array(0..<n))]
        case .torus(let pairing), .torusPhases(let pairing):
            return (0..<pairing.pairCount).map {
                let (a, b) = pairing.channels(ofPair: $0)
                return ChannelBlock(kind: .pair, channels: [a, b])
            }
        case .product(let factors):
            var blocks: [ChannelBlock] = []
            var start = 0
            for factor in factors {
                blocks += factor.blocks.map { block in
                    ChannelBlock(kind: block.kind, channels: block.channels.map { $0 + start })
                }
                start += factor.dimension
            }
            return blocks
        case .pairSigns, .pairScales, .monomial: return []
        }
    }
}
