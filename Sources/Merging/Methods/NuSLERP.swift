import CKernels
import Foundation
import Foundations
import Synchronization

extension MergeMethod {
    /// Spherical interpolation between two models, or between their task vectors where there is a base, by their weights:
    /// `(sin((1-t)ω) v₁ + sin(tω) v₂) / sin ω` with `t = w₂ / (w₁ + w₂)`, ω their angle.
    ///
    /// Of whole tensors; without `nuslerp_flatten` of each row, or of each column with `nuslerp_row_wise`, as mergekit names them: along the last
    /// axis and along the first. Linear where ω is 0 or π, as f32 tells. Weights that cancel are taken as alike.
    public static let nuSLERP = MergeMethod(
        name: "nuslerp", summary: "spherical interpolation of two models or their task vectors, by their weights",
        base: .optional,
        models: 2...2,
        parameters: [.weight, .flag("nuslerp_row_wise", false), .flag("nuslerp_flatten", true)], unit: .rows
    ) { tensor in
        let weights = tensor.values("weight")
        let sum = weights.reduce(0, +)
        let t = sum.magnitude < 1e-6 ? 0.5 : weights[1] / sum
        if tensor[isSet: "nuslerp_flatten"] || tensor.shape.isEmpty {
            let gram = try GramMatrix(of: tensor, from: .base)
            return Combination(ofTaskVectors: Self.shares(t, gram[0, 0], gram[0, 1], gram[1, 1])).kernel
        }
        if tensor[isSet: "nuslerp_row_wise"], tensor.shape.count > 1 {
            return try ColumnShares(tensor) { Self.shares(t, $0, $1, $2) }.kernel
        }
        return { tile in
            for row in tile.rows(of: tensor.columns) {
                let gram = GramMatrix(of: row, from: .base)
                Combination(ofTaskVectors: Self.shares(t, gram[0, 0], gram[0, 1], gram[1, 1])).kernel(row)
            }
        }
    }

    /// The factors of both, of their inner products.
    private static func shares(_ t: Double, _ first: Double, _ product: Double, _ second: Double) -> [Double] {
        let norms = max(first.squareRoot(), 1e-7) * max(second.squareRoot(), 1e-7)
        let cosine = min(max(product / norms, -1), 1)
        let rounded = Float(cosine)
        guard 1 - rounded * rounded > 0 else { return [1 - t, t] }
        let angle = acos(cosine)
        return [sin((1 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)]
    }

    /// A combination of two models for each vector along a tensor's first axis: two numbers for each are kept.
    private struct ColumnShares: Sendable {
        /// Columns whose sums are made together.
        private static let width = 1 << 10
        private let shares: [[Float]]
        private let columns: Int

        init(_ tensor: MergeTensor, _ shares: @escaping @Sendable (Double, Double, Double) -> [Double]) throws {
            let rows = max(tensor.shape.first ?? 1, 1)
            let columns = tensor.count / rows
            let starts = Array(stride(from: 0, to: columns, by: Self.width))
            let found = Mutex([[[Float]]](repeating: [[], []], count: starts.count))
            try WorkerThreads.forEach(starts.count, threads: tensor.threads) { number, scratch in
                let count = min(Self.width, columns - starts[number])
                var sums = [[Double]](repeating: [Double](repeating: 0, count: count), count: 3)
                for row in 0..<rows {
                    let start = row * columns + starts[number]
                    tensor.read(start..<start + count, scratch) { tile in
                        for i in 0..<count {
                            let base = tile.base?[i] ?? 0
                            let (x, y) = (Double(tile.models[0][i] - base), Double(tile.models[1][i] - base))
                            sums[0][i] += x * x
                            sums[1][i] += x * y
                            sums[2][i] += y * y
                        }
                    }
                }
                var parts = [[Float]](repeating: [], count: 2)
                for i in 0..<count {
                    let own = shares(sums[0][i], sums[1][i], sums[2][i])
                    for model in 0...1 { parts[model].append(Float(own[model])) }
                }
                let made = parts
                found.withLock { $0[number] = made }
            }
            self.shares = (0...1).map { model in found.withLock { $0.flatMap { $0[model] } } }
            self.columns = max(columns, 1)
        }

        var kernel: MergeKernel {
            let (shares, columns) = (shares, columns)
            return { tile in
                tile.output.update(repeating: 0, count: tile.count)
                var offset = 0
                while offset < tile.count {
                    let column = (tile.places.lowerBound + offset) % columns
                    let count = min(columns - column, tile.count - offset)
                    for (own, shares) in zip(tile.models, shares) {
                        shares.withUnsafeBufferPointer { shares in
                            guard let shares = shares.baseAddress else { return }
                            mp_add_column_shares_f32(
                                tile.output + offset, own + offset, tile.base.map { $0 + offset }, shares + column,
                                count)
                        }
                    }
                    offset += count
                }
                if let base = tile.base { mp_add_f32(tile.output, base, tile.count, 1) }
            }
        }
    }
}
