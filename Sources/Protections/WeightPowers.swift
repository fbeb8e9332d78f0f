import CKernels
import Checkpoints
import Foundations
import Symmetries
import Synchronization

/// How large the channels of sites are: sums of squares of weights, read once for all sites whose elements mix channels.
public struct WeightPowers: Sendable {
    private struct Axis: Hashable, Sendable {
        let tensor: String
        let axis: Int
    }

    /// Values that are widened at a time, so that they stay in the first-level cache.
    private static let chunk = 2048

    private let tensors: [String: TensorRecord]
    private let squares: [Axis: [Double]]

    /// - Throws: `Interrupted` when a signal asks to stop.
    public init(of sites: [Site], in checkpoint: Checkpoint, threads: Int? = nil) throws {
        let jobs = Self.axes(of: sites, in: checkpoint)
        let found = Mutex([Axis: [Double]]())
        try WorkerThreads.forEach(jobs.count, threads: WorkerThreads.count(threads)) { number, _ in
            let (axis, tensor) = jobs[number]
            let sums = Self.squares(tensor, axis: axis.axis, in: checkpoint)
            checkpoint.releasePages(of: tensor)
            found.withLock { $0[axis] = sums }
        }
        tensors = Dictionary(jobs.map { ($0.tensor.name, $0.tensor) }) { first, _ in first }
        squares = found.withLock { $0 }
    }

    private static func axes(of sites: [Site], in checkpoint: Checkpoint) -> [(axis: Axis, tensor: TensorRecord)] {
        var axes: [(axis: Axis, tensor: TensorRecord)] = []
        var seen: Set<Axis> = []
        for site in sites where site.group.isSensitive {
            for slice in site.slices {
                let axis = Axis(tensor: slice.tensor, axis: slice.axis)
                guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable else { continue }
                if seen.insert(axis).inserted { axes.append((axis, tensor)) }
            }
        }
        return axes
    }

    /// Bytes that are read of these sites' weights, tensor by tensor.
    package static func measuredBytes(_ sites: [Site], in checkpoint: Checkpoint) -> [Int] {
        axes(of: sites, in: checkpoint).map(\.tensor.byteCount)
    }

    /// Both sides of a site; nil where nothing depends on them.
    public func powers(of site: Site) -> SitePowers? {
        guard let direct = side(.direct, of: site), let dual = side(.dual, of: site) else { return nil }
        return SitePowers(direct: direct, dual: dual)
    }

    private func side(_ representation: Representation, of site: Site) -> SidePowers? {
        var sums = [Double](repeating: 0, count: site.group.dimension)
        var (entries, roundoff, smallest, largest) = (0, 0.0, 0.0, Double.greatestFiniteMagnitude)
        for slice in site.slices where slice.representation == representation {
            guard let tensor = tensors[slice.tensor], slice.width == 1, slice.across == nil,
                let along = squares[Axis(tensor: slice.tensor, axis: slice.axis)],
                slice.start + sums.count <= along.count
            else { return nil }
            for channel in sums.indices { sums[channel] += along[slice.start + channel] }
            entries += slice.axis == 0 ? tensor.matrixShape.columns : tensor.matrixShape.rows
            roundoff = max(roundoff, tensor.type.unitRoundoff ?? 0)
            smallest = max(smallest, tensor.type.leastNormalMagnitude ?? 0)
            largest = min(largest, tensor.type.greatestFiniteMagnitude ?? 0)
        }
        return SidePowers(
            squares: sums, roundoff: roundoff * roundoff, subnormal: Double(entries) * smallest * smallest,
            largest: largest < 1e150 ? largest * largest : .greatestFiniteMagnitude)
    }

    /// The sum of squares at every index along one axis.
    private static func squares(_ tensor: TensorRecord, axis: Int, in checkpoint: Checkpoint) -> [Double] {
        tensor.type == .f64
            ? squares(
                tensor, axis, checkpoint, of: Double.self, { tensor.type.widen($0, into: $1, $2) }, mp_squares_f64,
                mp_add_squares_f64)
            : squares(
                tensor, axis, checkpoint, of: Float.self, { tensor.type.widen($0, into: $1, $2) }, mp_squares_f32,
                mp_add_squares_f32)
    }

    private static func squares<Real>(
        _ tensor: TensorRecord, _ axis: Int, _ checkpoint: Checkpoint, of type: Real.Type,
        _ widen: (UnsafeRawPointer, UnsafeMutablePointer<Real>, Int) -> Void,
        _ sum: (UnsafePointer<Real>, Int) -> Double,
        _ add: (UnsafeMutablePointer<Double>, UnsafePointer<Real>, Int) -> Void
    ) -> [Double] {
        let (rows, columns) = tensor.matrixShape
        var sums = [Double](repeating: 0, count: axis == 0 ? rows : columns)
        let content = checkpoint.content(of: tensor)
        guard let base = content.bytes.baseAddress else { return sums }
        let width = tensor.type.bitWidth / 8
        defer { withExtendedLifetime(content) {} }
        sums.withUnsafeMutableBufferPointer { sums in
            withUnsafeTemporaryAllocation(of: Real.self, capacity: chunk) { buffer in
                guard let values = buffer.baseAddress, let sums = sums.baseAddress else { return }
                for row in 0..<rows {
                    for start in stride(from: 0, to: columns, by: chunk) {
                        let count = min(chunk, columns - start)
                        widen(base + (row * columns + start) * width, values, count)
                        if axis == 0 { sums[row] += sum(values, count) } else { add(sums + start, values, count) }
                    }
                }
            }
        }
        return sums
    }
}

extension Group {
    /// Whether what rounding costs depends on how large the channels are: where channels or the members of pairs are mixed.
    fileprivate var isSensitive: Bool {
        switch self {
        case .generalLinear(let n): n > 1
        case .torus, .torusPhases: true
        case .product(let factors): factors.contains(where: \.isSensitive)
        case .pairSigns, .pairScales, .monomial, .orthogonal: false
        }
    }
}
