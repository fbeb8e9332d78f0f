import CKernels
import Checkpoints
import Foundations
import LinearAlgebra

/// How methods choose the entries of a task vector that stay, from its density: the share of them.
enum Sparsification: Sendable {
    /// The largest.
    case magnitude
    /// Each with the density as its probability.
    case random
    /// The largest but the share `gamma`, which lies above them.
    case outliers
    /// Each with a probability that grows with the rank of its magnitude in its row, from density - epsilon to density + epsilon.
    case ranked
}

/// Which entries of one model's task vector θ_i - θ₀ stay.
enum TaskMask: Sendable {
    case all, none
    /// Those that the first takes and the second does not.
    case magnitude(MagnitudeCut, less: MagnitudeCut?)
    case random(CounterRandom, density: Float)
    case ranked(CounterRandom, density: Float, epsilon: Float, columns: Int)

    var isWhole: Bool { if case .all = self { true } else { false } }
    var isEmpty: Bool { if case .none = self { true } else { false } }

    /// - Throws: `MergeError` where density ± epsilon is no probability.
    init(_ sparsification: Sparsification, of model: Int, in tensor: MergeTensor) throws {
        let density = tensor.value("density", of: model) ?? 1
        guard density < 1, density > 0 || sparsification == .outliers else {
            self = density < 1 ? .none : .all
            return
        }
        switch sparsification {
        case .magnitude:
            let count = max(1, Int(density * Double(tensor.count)))
            self = .magnitude(try tensor.cut(largest: count, ofTaskVector: model), less: nil)
        case .random: self = .random(tensor.random(model: model), density: Float(density))
        case .outliers:
            let kept = Int(density * Double(tensor.count))
            let above = Int((tensor.value("gamma", of: model) ?? 0) * Double(tensor.count))
            guard kept > 0 else {
                self = .none
                return
            }
            // Where too few are left below the outliers, some of these stay.
            let below = max(0, tensor.count - kept - above)
            let cuts = try [tensor.count - below, tensor.count - below - kept].map {
                try tensor.cut(largest: $0, ofTaskVector: model)
            }
            self = .magnitude(cuts[0], less: cuts[1])
        case .ranked:
            let epsilon = tensor.value("epsilon", of: model) ?? 0
            guard density + epsilon < 1, density - epsilon > 0 else {
                throw MergeError.noProbability(tensor: tensor.name, density: density, epsilon: epsilon)
            }
            // One value is a row without ranks.
            let columns = tensor.shape.isEmpty ? 1 : tensor.columns
            self = .ranked(
                tensor.random(model: model), density: Float(density), epsilon: columns > 1 ? Float(epsilon) : 0,
                columns: columns)
        }
    }

    /// Writes the task vector, 0 where an entry does not stay; the tile's output and its memory from the slot `models.count + 2` on are used.
    func write(_ tile: MergeTile, _ model: Int, into target: UnsafeMutablePointer<Float>) {
        guard let base = tile.base else { return }
        let (own, count) = (tile.models[model], tile.count)
        switch self {
        case .all: mp_task_vector_f32(target, own, base, count)
        case .none: target.update(repeating: 0, count: count)
        case .magnitude(let cut, let less):
            var start = tile.places.lowerBound
            // Of those that equal the smallest that is taken, the ones before a place are.
            let ends = [cut.endOfEqual, less?.endOfEqual ?? 0, tile.places.upperBound]
            for end in ends.sorted() where end > start && start < tile.places.upperBound {
                let end = min(end, tile.places.upperBound)
                let offset = start - tile.places.lowerBound
                mp_keep_between_f32(
                    target + offset, own + offset, base + offset, end - start, cut.leastBits(at: start),
                    less?.leastBits(at: start) ?? .max)
                start = end
            }
        case .random(let random, let density):
            random.fill(target, from: tile.places)
            mp_keep_below_f32(target, own, base, count, density)
        case .ranked(let random, let density, let epsilon, let columns):
            random.fill(target, from: tile.places)
            let step = columns > 1 ? 2 * epsilon / Float(columns - 1) : 0
            var start = 0
            mp_task_vector_f32(tile.output, own, base, count)
            let ranks = UnsafeMutableRawPointer(tile.buffer(tile.models.count + 2)).assumingMemoryBound(to: UInt32.self)
            let work = UnsafeMutableRawPointer(tile.buffer(tile.models.count + 3)).assumingMemoryBound(to: UInt32.self)
            while start < count {
                let length = min(columns, count - start)
                mp_rank_magnitudes(ranks, tile.output + start, length, work)
                mp_thresholds_f32(target + start, ranks, length, density - epsilon, step)
                start += length
            }
            mp_keep_below_f32(target, own, base, count, 0)
        }
    }
}

extension MagnitudeCut {
    /// The bits from which magnitudes are taken at a place and behind it, up to where those end that equal the smallest.
    func leastBits(at place: Int) -> UInt32 { place < endOfEqual ? least : least + 1 }
}

extension CounterRandom {
    /// Writes the numbers of some places.
    func fill(_ target: UnsafeMutablePointer<Float>, from places: Range<Int>) {
        for (i, place) in places.enumerated() { target[i] = uniform(at: place) }
    }
}

extension MergeTensor {
    /// The largest magnitudes of a model's task vector.
    func cut(largest count: Int, ofTaskVector model: Int) throws -> MagnitudeCut {
        let scratch = WorkerScratch()
        return try MagnitudeCut(largest: count, of: self.count, run: Self.cutRun) { places, target in
            try Interruption.check()
            guard let target = target.baseAddress else { return }
            writeDistances(places, model, scratch, into: target)
        }
    }

    /// Values that are compared at once.
    static let cutRun = 1 << 13

    /// |θ_i - θ₀| in f32.
    func writeDistances(
        _ places: Range<Int>, _ model: Int, _ scratch: WorkerScratch, into target: UnsafeMutablePointer<Float>
    ) {
        guard hasBase, let base = inputs.last else { return }
        let (own, count) = (inputs[model], places.count)
        let sources = [own, base].map { $0.checkpoint.bytes(of: $0.tensor).baseAddress }
        guard let x = sources[0], let y = sources[1] else { return }
        let offset = places.lowerBound * own.tensor.type.bitWidth / 8
        func words<T>(_ type: T.Type) -> (UnsafePointer<T>, UnsafePointer<T>) {
            ((x + offset).assumingMemoryBound(to: type), (y + offset).assumingMemoryBound(to: type))
        }
        // The same numbers as by widening both, in one loop.
        let isAsStored = own.rows == nil && base.rows == nil && own.tensor.type == base.tensor.type
        switch isAsStored ? own.tensor.type : nil {
        case .bf16: mp_distances_bf16(target, words(UInt16.self).0, words(UInt16.self).1, count)
        case .f16: mp_distances_f16(target, words(UInt16.self).0, words(UInt16.self).1, count)
        case .f32: mp_distances_f32(target, words(Float.self).0, words(Float.self).1, count)
        default:
            let other = scratch.buffer(0, of: Float.self, count: count)
            own.widen(places, into: target)
            base.widen(places, into: other)
            mp_distances_f32(target, target, other, count)
        }
    }
}
