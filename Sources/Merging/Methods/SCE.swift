import CKernels
import Checkpoints
import Foundations
import LinearAlgebra

extension MergeMethod {
    /// SCE (arXiv 2408.07990): of all entries those stay in which the task vectors vary most, `select_topk` of those in which they vary at all; each
    /// task vector weighs its mean square, and of each entry those count whose sign is that of their sum: `θ₀ + Σ w_i δ_i / Σ w_i`.
    ///
    /// Where the mean squares sum to less than 1e-6, all weigh alike.
    public static let sce = MergeMethod(
        name: "sce",
        summary:
            "the entries in which the task vectors vary most, weighed by their mean squares, where signs agree with the sum's",
        reference: "2408.07990", base: .required, parameters: [.number("select_topk", 1, in: 0...1)]
    ) { tensor in
        let selection = try Selection(of: tensor)
        let sums = try tensor.scan { tile in
            selection.vectors(tile).map { $0.map { mp_squares_f32($0, tile.count) } ?? 0 }
        }
        let squares = (0..<tensor.modelCount).map { model in
            sums.reduce(0) { $0 + $1[model] } / Double(max(tensor.count, 1))
        }
        let total = squares.reduce(0, +)
        let weights = squares.map { Float(total < 1e-6 ? 1 / Double(squares.count) : $0 / total) }
        let votes = [Float](repeating: 1, count: weights.count)
        return { tile in
            guard let base = tile.base else { return }
            let vectors = selection.vectors(tile)
            mp_elect_f32(tile.output, base, vectors, votes, weights, weights, vectors.count, tile.count, 1, 1e-6, 1)
        }
    }

    /// Which entries stay, of all models alike.
    private enum Selection: Sendable {
        case all, none
        case variance(MagnitudeCut)

        init(of tensor: MergeTensor) throws {
            let share = tensor["select_topk"]
            guard share < 1, share > 0 else {
                self = share < 1 ? .none : .all
                return
            }
            let alike = try tensor.scan { tile in
                Self.writeVariances(tile, into: tile.output)
                return mp_count_equal(tile.output, tile.count, 0)
            }
            let count = Int(share * Double(tensor.count - alike.reduce(0, +)))
            let scratch = WorkerScratch()
            let cut = try MagnitudeCut(largest: count, of: tensor.count, run: MergeTensor.cutRun) { places, target in
                try Interruption.check()
                guard let target = target.baseAddress else { return }
                tensor.read(places, scratch) { Self.writeVariances($0, into: target) }
            }
            self = count > 0 ? .variance(cut) : .none
        }

        static func writeVariances(_ tile: MergeTile, into target: UnsafeMutablePointer<Float>) {
            guard let base = tile.base else { return }
            mp_variances_f32(target, tile.pointers, base, tile.models.count, tile.count)
        }

        /// Task vectors, 0 where an entry does not stay; in the tile's memory.
        func vectors(_ tile: MergeTile) -> [UnsafePointer<Float>?] {
            guard let base = tile.base else { return [] }
            if case .variance = self { Self.writeVariances(tile, into: tile.output) }
            return tile.models.enumerated().map { model, own in
                let target = tile.buffer(model)
                switch self {
                case .all: mp_task_vector_f32(target, own, base, tile.count)
                case .none: target.update(repeating: 0, count: tile.count)
                case .variance(let cut):
                    // Of those that equal the smallest that is taken, the ones before a place are.
                    let end = min(max(cut.endOfEqual - tile.places.lowerBound, 0), tile.count)
                    for (places, least) in [(0..<end, cut.least), (end..<tile.count, cut.least + 1)] {
                        let start = places.lowerBound
                        mp_keep_by_f32(
                            target + start, own + start, base + start, tile.output + start, places.count, least)
                    }
                }
                return UnsafePointer(target)
            }
        }
    }
}

extension MergeTile {
    /// The models, as C takes them.
    var pointers: [UnsafePointer<Float>?] { models.map(Optional.some) }
}
