import Checkpoints
import LinearAlgebra
import Rewriting
import Symmetries

/// A residual stream that was turned in one of two models or in both: where it was, its norms' gains went into the weights behind them, and 1 is left of each.
struct TurnedStream {
    /// Of a rotation, whatever form it was drawn in.
    let site: Site
    private let base, protected: Checkpoint
    private let isTurned: (protected: Bool, base: Bool)

    /// Nil where gains stand as they did in both, or where there are none that could tell.
    init?(_ stream: ResidualStream, base: Checkpoint, protected: Checkpoint) {
        guard let site = stream.site(.rotation), !site.folded.isEmpty else { return nil }
        func isFolded(_ model: Checkpoint) -> Bool {
            site.folded.allSatisfy { gain in
                Self.values(gain, model)?.allSatisfy { $0 + gain.offset == 1 } ?? false
            }
        }
        isTurned = (isFolded(protected), isFolded(base))
        guard isTurned.protected || isTurned.base else { return nil }
        (self.site, self.base, self.protected) = (site, base, protected)
    }

    /// The orthogonal R nearest to what takes the base's tables to the protected ones: `U·Vᵀ` of `X X₀ᵀ = U S Vᵀ`, X being d x (tokens and all else that no
    /// other site acts on). Where norms subtract the mean, R fixes the vector of ones. Nil where gains of 1 stand in both models and channels were not mixed.
    ///
    /// - Parameter tables: the site with slices of those alone.
    func estimate(_ tables: Site) throws -> Estimate? {
        let known = tables.keeping { $0.gain == nil && base.tensors[$0.tensor] != nil }
        let (own, before) = (SiteRows(known, in: protected), SiteRows(known, in: base))
        var cross = own.direct * before.direct.transposed
        guard cross.squaredNorm > 0 else {
            throw AlignmentError.noElement(site: site.path, reason: "no table of the base lies on it")
        }
        if case .orthogonal(_, _, fixesOnes: true) = site.group { cross = Self.fixingOnes(cross) }
        let (u, _, vt) = try cross.svd()
        let matrix = u * vt
        if isTurned.protected, isTurned.base, Self.isPermutation(matrix) { return nil }
        let rotation = Rotation(dimension: cross.rows, factors: [.dense(matrix)])
        return Estimate(
            element: .rotation(rotation), agreement: Nearness(.rotation(rotation), own, before).agreement)
    }

    /// The protected model with its stream where the base's lies: turned back, with the base's gains taken out of the weights again, which any gains may be;
    /// or, where the base alone was turned, turned as it was, with its own gains folded.
    func undone(_ estimate: Estimate) throws -> Checkpoint {
        let script = try EditScript([site], of: protected)
        guard isTurned.protected else {
            if let untied = site.untied {
                throw AlignmentError.noElement(
                    site: site.path,
                    reason:
                        "\(base.path) stores the head \(untied.head) apart from its table, which \(protected.path) does not"
                )
            }
            let forward = Estimate(element: estimate.element.inverse, agreement: estimate.agreement)
            return Checkpoint(
                protected,
                making: try EditedWeights(
                    script, of: protected, undoing: EstimatedElements(estimates: [site.path: forward]),
                    gains: FoldedGains([site], in: protected), isInverse: false))
        }
        return Checkpoint(
            protected,
            making: try EditedWeights(
                script, of: protected, undoing: EstimatedElements(estimates: [site.path: estimate]), gains: gains()))
    }

    /// The base's, in the protected model's types.
    private func gains() throws -> FoldedGains {
        var stored: [String: [UInt8]] = [:]
        for gain in site.folded {
            guard let values = Self.values(gain, base), let type = protected.tensors[gain.tensor]?.type else {
                continue
            }
            var bytes = [UInt8](repeating: 0, count: values.count * type.bitWidth / 8)
            values.withUnsafeBufferPointer { values in
                bytes.withUnsafeMutableBytes { bytes in
                    guard let from = values.baseAddress, let target = bytes.baseAddress else { return }
                    type.narrow(from, into: target, values.count)
                }
            }
            stored[gain.tensor] = bytes
        }
        return try FoldedGains(stored, [site], in: protected)
    }

    /// Whether every row is nearly ± a unit vector.
    private static func isPermutation(_ matrix: Matrix<Double>) -> Bool {
        (0..<matrix.rows).allSatisfy { row in matrix.row(row).contains { $0.magnitude > 0.9 } }
    }

    private static func values(_ gain: Site.Gain, _ model: Checkpoint) -> [Double]? {
        guard let tensor = model.tensors[gain.tensor], tensor.type.isComputable else { return nil }
        let content = model.content(of: tensor)
        defer { withExtendedLifetime(content) {} }
        return tensor.type.doubles(in: content.bytes)
    }

    /// Without the means on both sides, and the vector of ones as the strongest direction of both.
    private static func fixingOnes(_ cross: Matrix<Double>) -> Matrix<Double> {
        let d = cross.rows
        let centre = Matrix<Double>.identity(d) - Matrix(rows: d, columns: d, repeating: 1 / Double(d))
        let size = cross.frobeniusNorm / Double(max(d, 1))
        return centre * cross * centre + Matrix(rows: d, columns: d, repeating: size)
    }
}
