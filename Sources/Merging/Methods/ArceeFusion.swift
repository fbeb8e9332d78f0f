import CKernels
import Checkpoints
import Foundations
import LinearAlgebra
import Synchronization

extension MergeMethod {
    /// Arcee Fusion: the base with those entries of the other model whose importance |θ₁ - θ₀|·KL is least `median + 1.5 (q₃ - q₁)` of the tensor's, KL
    /// being the divergence of the softmaxes of the entry's row in both models.
    ///
    /// Quantiles are exact: the `⌊q (n - 1)⌋`-th of the sorted importances. A divergence below 0, which rounding may leave, is none.
    public static let arceeFusion = MergeMethod(
        name: "arcee_fusion",
        summary:
            "the base with the other model's outstanding entries, by their distance times the divergence of their rows",
        base: .required, models: 1...1, parameters: [], unit: .rows
    ) { tensor in
        let importance = try RowImportance(tensor)
        let found = Mutex([Float](repeating: 0, count: 3))
        try WorkerThreads.forEach(3, threads: tensor.threads) { number, scratch in
            // The quantile is the smallest of so many of the largest.
            let below = Int(Double(number + 1) / 4 * Double(max(tensor.count, 1) - 1))
            let cut = try MagnitudeCut(
                largest: tensor.count - below, of: tensor.count, run: MergeTensor.cutRun
            ) { places, target in
                try Interruption.check()
                guard let target = target.baseAddress else { return }
                tensor.writeDistances(places, 0, scratch, into: target)
                importance.weigh(places, target)
            }
            found.withLock { $0[number] = Float(bitPattern: cut.least) }
        }
        let quantiles = found.withLock(\.self)
        let least = quantiles[1] + 1.5 * (quantiles[2] - quantiles[0])
        return { tile in
            guard let base = tile.base, let own = tile.models.first else { return }
            let values = tile.buffer(0)
            mp_distances_f32(values, own, base, tile.count)
            importance.weigh(tile.places, values)
            mp_fuse_f32(tile.output, own, base, values, tile.count, least)
        }
    }

    /// How far each row of a model is from the base's.
    private struct RowImportance: Sendable {
        private let divergences: [Float]
        private let columns: Int

        init(_ tensor: MergeTensor) throws {
            let columns = max(tensor.columns, 1)
            self.columns = columns
            divergences = try tensor.scan(.rows) { tile in
                tile.rows(of: columns).map { row in
                    guard let base = row.base, let own = row.models.first else { return Float(0) }
                    return Float(max(mp_divergence_f32(own, base, row.count, 1e-8), 0))
                }
            }.flatMap(\.self)
        }

        /// Multiplies distances by their rows' divergences.
        func weigh(_ places: Range<Int>, _ values: UnsafeMutablePointer<Float>) {
            divergences.withUnsafeBufferPointer { divergences in
                guard let divergences = divergences.baseAddress else { return }
                var place = places.lowerBound
                while place < places.upperBound {
                    let (row, column) = place.quotientAndRemainder(dividingBy: columns)
                    let count = min(columns - column, places.upperBound - place)
                    mp_multiply_across_f32(values + (place - places.lowerBound), divergences + row, 1, count)
                    place += count
                }
            }
        }
    }
}
