import CKernels
import Foundations

extension MergeMethod {
    /// Fisher merging (arXiv 2111.09832): of each entry the mean by the models' Fisher information, `Σ w_i F_i θ_i / Σ w_i F_i`, none of which is smaller
    /// than a floor; where it is 0 in all of them, the mean by the weights alone.
    public static let fisher = MergeMethod(
        name: "fisher",
        summary:
            "entry by entry the mean by the models' Fisher information, at least fisher_floor: Σ w_i F_i θ_i / Σ w_i F_i",
        reference: "2111.09832", base: .optional,
        parameters: [
            .number("weight", 1, in: 0...1e9, .model), .number("fisher_floor", 1e-6, in: 0...1e9),
        ],
        evidence: .fisher
    ) { tensor in
        try tensor.checkImportance()
        let (weights, floor) = (tensor.values("weight"), Float(tensor["fisher_floor"]))
        return { tile in
            let importance = tile.importance.map(Optional.init)
            guard importance.count == weights.count else { return }
            mp_weighted_mean_f32(
                tile.output, tile.pointers, importance, weights, weights.count, tile.count, floor)
        }
    }
}

extension MergeTensor {
    /// - Throws: `MergeError` where Fisher information is negative or no number.
    fileprivate func checkImportance() throws {
        let runs = Self.runs(of: count, columns: columns, .values)
        for input in importance {
            try WorkerThreads.forEach(runs.count, threads: threads) { number, scratch in
                let values = scratch.buffer(0, of: Float.self, count: runs[number].count)
                input.widen(runs[number], into: values)
                guard mp_are_magnitudes_f32(values, runs[number].count) != 0 else {
                    throw MergeError.noFisher(path: input.checkpoint.path, tensor: input.tensor.name)
                }
            }
        }
    }
}
