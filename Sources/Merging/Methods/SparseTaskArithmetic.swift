import CKernels
import Foundations
import Synchronization

/// Task arithmetic with sparse task vectors: of each δ_i = mask_i (θ_i - θ₀), rescaled to its former L1 norm where `rescale` is set, the weighted sum
/// Σ w_i δ_i, over Σ w_i where `normalize` is set, times λ, is added to the base. With a consensus, of each entry those whose sign is that of
/// the sum alone count, in both sums.
struct SparseTaskArithmetic: Sendable {
    enum Consensus: Sendable { case none, sign }

    private let masks: [TaskMask]
    private let weights: [Float]
    /// Weights times what makes up for the entries that went.
    private let factors: [Float]
    private let normalizes: Bool
    private let lambda: Double
    private let consensus: Consensus

    /// A method of this family.
    static func method(
        name: String, summary: String, reference: String, _ sparsification: Sparsification, _ consensus: Consensus,
        normalize: Bool, rescale: Bool, _ parameters: [MergeMethod.Parameter] = []
    ) -> MergeMethod {
        MergeMethod(
            name: name, summary: summary, reference: reference, base: .required,
            parameters: [
                .weight, .number("density", 1, in: 0...1, .model), .flag("normalize", normalize),
                .flag("rescale", rescale), .number("lambda", 1, in: -1e9...1e9),
            ] + parameters,
            unit: sparsification == .ranked ? .rows : .values
        ) { tensor in
            try SparseTaskArithmetic(tensor, sparsification, consensus).kernel
        }
    }

    init(_ tensor: MergeTensor, _ sparsification: Sparsification, _ consensus: Consensus) throws {
        let found = Mutex([TaskMask](repeating: .none, count: tensor.modelCount))
        try WorkerThreads.forEach(tensor.modelCount, threads: tensor.threads) { model, _ in
            let mask = try TaskMask(sparsification, of: model, in: tensor)
            found.withLock { $0[model] = mask }
        }
        masks = found.withLock(\.self)
        let scales =
            tensor[isSet: "rescale"]
            ? try Self.scales(tensor, masks, sparsification == .ranked ? .rows : .values) : masks.map { _ in 1 }
        let values = tensor.values("weight")
        (weights, factors) = (values.map(Float.init), zip(values, scales).map { Float($0 * $1) })
        (normalizes, lambda) = (tensor[isSet: "normalize"], tensor["lambda"])
        self.consensus = consensus
    }

    /// What gives each task vector its former L1 norm; 1 where it or what stays of it has next to none.
    private static func scales(
        _ tensor: MergeTensor, _ masks: [TaskMask], _ unit: MergeMethod.Unit
    ) throws -> [Double] {
        let models = masks.indices.filter { !masks[$0].isWhole && !masks[$0].isEmpty }
        var scales = [Double](repeating: 1, count: masks.count)
        guard !models.isEmpty else { return scales }
        let parts = try tensor.scan(unit) { tile in
            models.map { model in
                guard let base = tile.base else { return (0.0, 0.0) }
                let kept = tile.buffer(model)
                masks[model].write(tile, model, into: kept)
                return (
                    mp_sum_distances_f32(tile.models[model], base, tile.count), mp_sum_magnitudes_f32(kept, tile.count)
                )
            }
        }
        for (place, model) in models.enumerated() {
            let before = parts.reduce(0) { $0 + $1[place].0 }
            let after = parts.reduce(0) { $0 + $1[place].1 }
            if before >= 1e-7, after >= 1e-7, before.isFinite, after.isFinite { scales[model] = before / after }
        }
        return scales
    }

    var kernel: MergeKernel {
        switch consensus {
        case .none:
            let sum = weights.reduce(0) { $0 + Double($1) }
            let scale = lambda / (normalizes && sum.magnitude >= 1e-8 ? sum : 1)
            let (masks, coefficients) = (masks, factors.map { Float(Double($0) * scale) })
            return { tile in
                guard let base = tile.base else { return }
                // The output is memory of a mask's own until all are added up.
                let (sum, kept) = (tile.buffer(0), tile.buffer(1))
                sum.update(repeating: 0, count: tile.count)
                for (model, mask) in masks.enumerated() where !mask.isEmpty {
                    if mask.isWhole {
                        mp_add_difference_f32(sum, tile.models[model], base, tile.count, coefficients[model])
                    } else {
                        mask.write(tile, model, into: kept)
                        mp_add_f32(sum, kept, tile.count, coefficients[model])
                    }
                }
                tile.output.update(from: sum, count: tile.count)
                mp_add_f32(tile.output, base, tile.count, 1)
            }
        case .sign:
            let (masks, weights, factors) = (masks, weights, factors)
            let (normalizes, lambda) = (normalizes, Float(lambda))
            return { tile in
                guard let base = tile.base else { return }
                let vectors: [UnsafePointer<Float>?] = masks.enumerated().map { model, mask in
                    let kept = tile.buffer(model)
                    mask.write(tile, model, into: kept)
                    return UnsafePointer(kept)
                }
                mp_elect_f32(
                    tile.output, base, vectors, factors, factors, weights, vectors.count, tile.count,
                    normalizes ? 1 : 0, -.infinity, lambda)
            }
        }
    }
}
