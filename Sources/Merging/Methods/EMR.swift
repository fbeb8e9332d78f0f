import CKernels

extension MergeMethod {
    /// EMR merging (arXiv 2405.17461), which rebuilds one model from what all have in common: the unified task vector τ has the sign of Σ τ_i and the
    /// largest magnitude among those of this sign; the model's own are a mask M and a scale, `θ₀ + λ_t M_t τ` with `M_t = [τ_t τ > 0]` and
    /// `λ_t = Σ |τ_t| / Σ |M_t τ|`, here of each tensor.
    public static let emr = MergeMethod(
        name: "emr",
        summary: "one model's task rebuilt from the unified task vector, by its own signs and norm: θ₀ + λ_t M_t τ",
        reference: "2405.17461", base: .required, parameters: [task]
    ) { tensor in
        let task = try tensor.task
        /// M_t τ.
        @Sendable func write(_ tile: MergeTile, into target: UnsafeMutablePointer<Float>) {
            guard let base = tile.base else { return }
            mp_unify_f32(target, tile.pointers, base, tile.models.count, tile.count)
            mp_keep_agreeing_f32(target, target, tile.models[task], base, tile.count)
        }
        let parts = try tensor.scan { tile in
            write(tile, into: tile.output)
            return (
                tile.base.map { mp_sum_distances_f32(tile.models[task], $0, tile.count) } ?? 0,
                mp_sum_magnitudes_f32(tile.output, tile.count)
            )
        }
        let (own, masked) = (parts.reduce(0) { $0 + $1.0 }, parts.reduce(0) { $0 + $1.1 })
        let scale = masked > 0 ? Float(own / masked) : 0
        return { tile in
            guard let base = tile.base else { return }
            write(tile, into: tile.buffer(0))
            tile.output.update(from: base, count: tile.count)
            mp_add_f32(tile.output, tile.buffer(0), tile.count, scale)
        }
    }
}

extension MergeMethod {
    /// Which of the models is rebuilt, counted from 1.
    static let task = Parameter.required("task", in: 1...1e6)
}

extension MergeTensor {
    /// The model that is rebuilt, counted from 0.
    /// - Throws: `MergeError` where there is none.
    var task: Int {
        get throws {
            guard let model = Int(exactly: self["task"]), (1...modelCount).contains(model) else {
                throw MergeError.noTask(self["task"], models: modelCount)
            }
            return model - 1
        }
    }
}
