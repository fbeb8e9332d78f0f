import Checkpoints
import LinearAlgebra
import Symmetries

extension HeadMatcher {
    /// The cosines of what heads add to the residual stream, `c = O·z`: members x members. No element within a head changes it.
    ///
    /// `Σ_t ⟨O_i z_i(t), O₀_j z₀_j(t)⟩ = Σ (O_iᵀ O₀_j) ∘ (Σ_t z_i(t) z₀_j(t)ᵀ)`.
    ///
    /// - Parameters:
    ///   - own, before: of values and outputs, of one protected head and of one of the base's.
    ///   - contexts: of all z of the block side by side.
    func contributions(_ own: Site?, _ before: Site?, _ contexts: JointGram) -> Matrix<Double> {
        guard let own, let before, let ownGram = contexts.own, let beforeGram = contexts.before else {
            return Matrix(rows: 0, columns: 0, repeating: 0)
        }
        let (heads, heads0) = (outputs(own, protected), outputs(before, base))
        func inner(_ a: Head, _ b: Head, _ gram: Matrix<Double>) -> Double {
            let maps = a.rows * b.rows.transposed
            var sum = 0.0
            for i in 0..<maps.rows {
                for j in 0..<maps.columns {
                    let (row, column) = (a.start + i * a.stride, b.start + j * b.stride)
                    guard row < gram.rows, column < gram.columns else { continue }
                    sum += maps[i, j] * gram[row, column]
                }
            }
            return sum
        }
        let (sizes, sizes0) = (heads.map { inner($0, $0, ownGram) }, heads0.map { inner($0, $0, beforeGram) })
        var scores = Matrix<Double>(rows: heads.count, columns: heads0.count, repeating: 0)
        for (i, head) in heads.enumerated() {
            for (j, head0) in heads0.enumerated() where head.rows.columns == head0.rows.columns {
                let size = (max(sizes[i], 0) * max(sizes0[j], 0)).squareRoot()
                scores[i, j] = size > 0 ? inner(head, head0, contexts.cross) / size : 0
            }
        }
        return scores
    }

    /// Columns of an output projection that read one query head, as rows (d_h x d).
    private struct Head {
        let rows: Matrix<Double>
        let start, stride: Int
    }

    private func outputs(_ site: Site, _ checkpoint: Checkpoint) -> [Head] {
        var heads: [(member: Int, head: Head)] = []
        for slice in site.slices {
            guard case .output(let member) = slice.part else { continue }
            let rows = SiteRows.rows([slice], channels: site.group.dimension, checkpoint)
            heads.append((member, Head(rows: rows, start: slice.start, stride: slice.stride)))
        }
        return heads.sorted { $0.member < $1.member }.map(\.head)
    }
}
