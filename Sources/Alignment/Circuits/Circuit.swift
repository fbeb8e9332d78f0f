import LinearAlgebra
import Symmetries

/// What a head's function depends on, `C = Rᵀ L` (outputs by values, queries by keys), kept as its two factors: no element of the head's site changes it.
package struct Circuit: Sendable {
    /// Head dimension x what values or keys read, biases as columns of their own.
    package let left: Matrix<Double>
    /// Head dimension x what outputs write or queries read, the query heads of one group side by side.
    package let right: Matrix<Double>

    package init(left: Matrix<Double>, right: Matrix<Double>) { (self.left, self.right) = (left, right) }

    /// What merging came to.
    package struct Merged {
        package let circuit: Circuit
        /// The share of ‖Σ w_i C_i‖² that fits into the head.
        package let kept: Double
    }

    /// `Σ w_i C_i`, factored again at the rank of one of them; nil where the group leaves no circuit that two factors make.
    package static func merge(_ parts: [(circuit: Circuit, weight: Double)], _ group: Group) throws -> Merged? {
        switch group {
        case .generalLinear: return try mergeWhole(parts)
        case .torus(let pairing): return mergePairs(parts, pairing)
        case .product(let factors):
            var (merged, start) = ([Merged](), 0)
            for factor in factors {
                let range = start..<start + factor.dimension
                start = range.upperBound
                guard let part = try merge(parts.map { ($0.circuit.rows(range), $0.weight) }, factor) else {
                    return nil
                }
                merged.append(part)
            }
            return Merged(
                circuit: Circuit(
                    left: .stacked(merged.map(\.circuit.left)), right: .stacked(merged.map(\.circuit.right))),
                kept: merged.reduce(0) { $0 + $1.kept } / Double(max(merged.count, 1)))
        default: return nil
        }
    }

    private func rows(_ range: Range<Int>) -> Circuit { Circuit(left: left.rows(range), right: right.rows(range)) }

    /// The truncated singular value decomposition, through QR of the stacked factors: `Σ w_i R_iᵀ L_i = Q_R (T_R W T_Lᵀ) Q_Lᵀ`, whose middle has as many
    /// rows as all models' heads have channels. Each factor gets the root of the singular values.
    private static func mergeWhole(_ parts: [(circuit: Circuit, weight: Double)]) throws -> Merged? {
        guard let rank = parts.first?.circuit.left.rows else { return nil }
        let (q, t) = try Matrix<Double>.stacked(parts.map(\.circuit.right)).transposed.qr()
        let (q2, t2) = try Matrix<Double>.stacked(parts.map(\.circuit.left)).transposed.qr()
        let weights = parts.flatMap { [Double](repeating: $0.weight, count: $0.circuit.left.rows) }
        let weighted = Matrix<Double>(
            rows: t.rows, columns: t.columns,
            elements: t.elements.enumerated().map { $1 * weights[$0 % weights.count] })
        let (u, s, vt) = try (weighted * t2.transposed).svd()
        let roots = s.prefix(rank).map { $0.squareRoot() }
        func factor(_ vectors: Matrix<Double>, _ basis: Matrix<Double>) -> Matrix<Double> {
            var scaled = Matrix<Double>(rows: rank, columns: vectors.columns, repeating: 0)
            for (i, root) in roots.enumerated() {
                for j in 0..<vectors.columns { scaled[i, j] = root * vectors[i, j] }
            }
            return scaled * basis.transposed
        }
        let whole = s.reduce(0) { $0 + $1 * $1 }
        return Merged(
            circuit: Circuit(left: factor(vt, q2), right: factor(u.transposed, q)),
            kept: whole > 0 ? s.prefix(rank).reduce(0) { $0 + $1 * $1 } / whole : 1)
    }
}

extension Matrix<Double> {
    /// One below the other, of as many columns.
    static func stacked(_ parts: [Self]) -> Self {
        let (rows, columns) = (parts.reduce(0) { $0 + $1.rows }, parts.first?.columns ?? 0)
        let elements = parts.flatMap(\.elements)
        // Of other widths nothing can be stacked; nobody asks for that.
        guard elements.count == rows * columns else { return Self(rows: 0, columns: columns, elements: []) }
        return Self(rows: rows, columns: columns, elements: elements)
    }
}
