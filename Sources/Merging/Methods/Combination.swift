import CKernels

/// A linear combination of one tensor in all models.
struct Combination: Sendable {
    /// One for each model.
    private let coefficients: [Float]
    /// Of the base, where the models are not seen from it.
    private let ofBase: Float?

    /// Σ c_i θ_i + c₀ θ₀.
    init(_ coefficients: [Double], base: Double = 0) {
        (self.coefficients, ofBase) = (coefficients.map(Float.init), Float(base))
    }

    /// θ₀ + Σ c_i (θ_i - θ₀), or Σ c_i θ_i where there is no base. Where all models are the base, so is the result, to the bit.
    init(ofTaskVectors coefficients: [Double]) { (self.coefficients, ofBase) = (coefficients.map(Float.init), nil) }

    var kernel: MergeKernel {
        let (coefficients, ofBase) = (coefficients, ofBase)
        return { tile in
            tile.output.update(repeating: 0, count: tile.count)
            if let base = tile.base, ofBase == nil {
                for (model, coefficient) in zip(tile.models, coefficients) {
                    mp_add_difference_f32(tile.output, model, base, tile.count, coefficient)
                }
                mp_add_f32(tile.output, base, tile.count, 1)
                return
            }
            for (model, coefficient) in zip(tile.models, coefficients) {
                mp_add_f32(tile.output, model, tile.count, coefficient)
            }
            if let base = tile.base, let ofBase, ofBase != 0 { mp_add_f32(tile.output, base, tile.count, ofBase) }
        }
    }
}
