import CKernels

extension MergeMethod {
    private static let parameters: [Parameter] = [
        .number("lambda", 1, in: -1e9...1e9), .number("tall_lambda", 0.4, in: 0...1e9),
    ]

    /// TALL masks (arXiv 2405.07813), which rebuild one model from the sum of all: `θ₀ + mask_t τ` with `τ = λ Σ τ_i` and
    /// `mask_t = [|τ_t| ≥ λ_t |τ - τ_t|]`, λ_t being `tall_lambda`.
    public static let tallMask = MergeMethod(
        name: "tall_mask",
        summary: "one model's task rebuilt: the task vectors' sum where its own share of it is large enough",
        reference: "2405.07813", base: .required, parameters: [task] + parameters
    ) { tensor in
        let task = try tensor.task
        return Self.localized(tensor, task..<task + 1, least: 1)
    }

    /// Consensus merging (arXiv 2405.07813): `θ₀ + λ Σ τ_i` where `consensus_k` of the TALL masks hold or more, and the base elsewhere.
    public static let consensus = MergeMethod(
        name: "consensus", summary: "the task vectors' sum where at least consensus_k of the TALL masks hold, times λ",
        reference: "2405.07813", base: .required,
        parameters: parameters + [.number("consensus_k", 2, in: 0...1e6, kind: .whole)]
    ) { tensor in
        Self.localized(tensor, 0..<tensor.modelCount, least: Int(tensor["consensus_k"]))
    }

    private static func localized(_ tensor: MergeTensor, _ models: Range<Int>, least: Int) -> MergeKernel {
        let (lambda, share) = (Float(tensor["lambda"]), Float(tensor["tall_lambda"]))
        return { tile in
            guard let base = tile.base else { return }
            mp_localize_f32(
                tile.output, tile.pointers, base, tile.models.count, tile.count, lambda, share, models.lowerBound,
                models.upperBound, UInt32(least))
        }
    }
}
