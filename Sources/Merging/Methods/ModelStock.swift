extension MergeMethod {
    /// Model Stock (arXiv 2403.19522): `t·mean(θ_i) + (1-t)·θ₀` with `t = N c / (1 + (N-1) c)`, c the mean cosine between the task vectors of two
    /// of the N models; of whole tensors, or with `filter_wise` of each row. Where 1 + (N-1) c vanishes, the base stays.
    public static let modelStock = MergeMethod(
        name: "model_stock",
        summary:
            "between the base and the models' mean, by the mean cosine c of their task vectors: t = N c / (1 + (N-1) c)",
        reference: "2403.19522", base: .required, models: 2...Int.max, parameters: [.flag("filter_wise", false)],
        unit: .rows
    ) { tensor in
        guard tensor[isSet: "filter_wise"], tensor.shape.count > 1 else {
            let gram = try GramMatrix(of: tensor, from: .base)
            let share = Self.share(of: gram.count) { gram[$0, $1] } / Double(gram.count)
            return Combination(ofTaskVectors: Array(repeating: share, count: gram.count)).kernel
        }
        return { tile in
            for row in tile.rows(of: tensor.columns) {
                let gram = GramMatrix(of: row, from: .base)
                let share = Self.share(of: gram.count) { gram[$0, $1] } / Double(gram.count)
                Combination(ofTaskVectors: Array(repeating: share, count: gram.count)).kernel(row)
            }
        }
    }

    /// t of the inner products of task vectors.
    private static func share(of count: Int, _ products: (Int, Int) -> Double) -> Double {
        var sum = 0.0
        for i in 0..<count {
            for j in 0..<i {
                let norms = max((products(i, i) * products(j, j)).squareRoot(), 1e-6)
                sum += min(max(products(i, j) / norms, -1), 1)
            }
        }
        let cosine = sum / Double(count * (count - 1) / 2)
        let divisor = 1 + Double(count - 1) * cosine
        return divisor.magnitude < 1e-6 ? 0 : Double(count) * cosine / divisor
    }
}
