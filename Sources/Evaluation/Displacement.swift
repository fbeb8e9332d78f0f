import Checkpoints
import Symmetries
import Synchronization

/// How far two checkpoints' weights lie apart: ‖θ' - θ‖ / ‖θ‖, summed in f64.
struct Displacement: Sendable {
    private struct Sums {
        var difference = 0.0
        var norm = 0.0

        mutating func add(_ other: Sums) {
            difference += other.difference
            norm += other.norm
        }

        var ratio: Double { norm > 0 ? (difference / norm).squareRoot() : 0 }
    }

    private static let chunk = 1 << 16

    let overall: Double
    let byKind: [Site.Kind: Double]
    /// The largest ratio of a single tensor.
    let largest: Double

    /// - Parameter kinds: the kind of site that acts on a tensor.
    init(_ original: Checkpoint, _ protected: Checkpoint, kinds: [String: Site.Kind], threads: Int) throws {
        let tensors = original.tensors.values.filter { $0.type.isComputable }
        let found = Mutex([Sums](repeating: Sums(), count: tensors.count))
        let (a, b) = (WeightReader(checkpoint: original), WeightReader(checkpoint: protected))
        try WorkerThreads.forEach(tensors.count, threads: threads) { number, _ in
            let tensor = tensors[number]
            guard let twin = protected.tensors[tensor.name], twin.elementCount == tensor.elementCount,
                twin.type.isComputable
            else { return }
            let sums = Self.sums(a, tensor, b, twin)
            found.withLock { $0[number] = sums }
        }
        // Added up in a fixed order, so that the figure does not depend on threads.
        var all = Sums()
        var kindSums: [Site.Kind: Sums] = [:]
        for (tensor, sums) in zip(tensors, found.withLock { $0 }) {
            all.add(sums)
            if let kind = kinds[tensor.name] { kindSums[kind, default: Sums()].add(sums) }
        }
        overall = all.ratio
        largest = found.withLock { $0.map(\.ratio).max() ?? 0 }
        byKind = kindSums.mapValues(\.ratio)
    }

    private static func sums(
        _ a: WeightReader, _ tensor: TensorRecord, _ b: WeightReader, _ twin: TensorRecord
    ) -> Sums {
        var sums = Sums()
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * chunk) { buffer in
            guard let x = buffer.baseAddress else { return }
            let y = x + chunk
            for start in stride(from: 0, to: tensor.elementCount, by: chunk) {
                let count = min(chunk, tensor.elementCount - start)
                a.values(tensor, start..<start + count, into: x)
                b.values(twin, start..<start + count, into: y)
                var part = Sums()
                for i in 0..<count {
                    part.difference += (y[i] - x[i]) * (y[i] - x[i])
                    part.norm += x[i] * x[i]
                }
                sums.add(part)
            }
        }
        return sums
    }
}
