import Checkpoints
import LinearAlgebra
import Symmetries

/// Checks a site whose group permutes and scales channels: finds the element that carries the original to the protected weights,
/// then compares every entry of every slice under it.
struct MonomialRecovery {
    let site: Site
    let original: WeightReader
    let protected: WeightReader
    let tolerance: Tolerance

    func worstError() -> WorstError {
        var worst = WorstError()
        let dimension = site.group.dimension
        guard let source = source() else {
            worst.include(.infinity, "channels that are not a permutation of the original's")
            return worst
        }
        guard var scale = scales(source) else {
            worst.include(.infinity, "its tensors do not fit")
            return worst
        }
        constrain(&scale)
        for slice in site.slices {
            let factor: [Double] =
                switch slice.representation {
                case .direct: scale
                case .dual: scale.map { 1 / $0 }
                case .permutation: [Double](repeating: 1, count: dimension)
                }
            compare(slice, source, factor, &worst)
        }
        return worst
    }

    /// For each protected channel the original one, found by the bytes of the slices that no scale touches.
    private func source() -> [Int]? {
        guard case .monomial(let n, let scales) = site.group else { return Array(0..<site.group.dimension) }
        let anchors = site.slices.filter { slice in
            slice.representation == .permutation || (scales == .unit && slice.representation == .direct)
        }
        let scaled = site.slices.filter { !anchors.contains($0) }
        // Without an untouched slice (ReLU) the significands of scaled ones must do: powers of two leave them.
        let (first, second) = anchors.isEmpty ? (scaled, []) : (anchors, scaled)
        guard let a = ChannelHashes(original.checkpoint, first, n, significandOnly: anchors.isEmpty),
            let b = ChannelHashes(protected.checkpoint, first, n, significandOnly: anchors.isEmpty)
        else { return nil }
        return a.match(b) {
            guard let a2 = ChannelHashes(original.checkpoint, second, n, significandOnly: true),
                let b2 = ChannelHashes(protected.checkpoint, second, n, significandOnly: true)
            else { return nil }
            return (a2, b2)
        }
    }

    /// Per channel the least-squares scale from the direct slices, or from the dual ones where those vanish; 1 where all do.
    private func scales(_ source: [Int]) -> [Double]? {
        let n = site.group.dimension
        var direct = [(product: Double, square: Double)](repeating: (0, 0), count: n)
        var dual = direct
        for slice in site.slices where slice.representation != .permutation {
            let isDirect = slice.representation == .direct
            let fits = visit(slice, source) { channel, x, y in
                if isDirect {
                    direct[channel].product += x * y
                    direct[channel].square += x * x
                } else {
                    dual[channel].product += x * y
                    dual[channel].square += x * x
                }
            }
            guard fits else { return nil }
        }
        let groups = site.group.sharedScaleChannels ?? (0..<n).map { [$0] }
        var scale = [Double](repeating: 1, count: n)
        for group in groups {
            func ratio(_ sums: [(product: Double, square: Double)]) -> Double? {
                let square = group.reduce(0) { $0 + sums[$1].square }
                let product = group.reduce(0) { $0 + sums[$1].product }
                return square > 0 && product != 0 ? product / square : nil
            }
            let value = ratio(direct) ?? ratio(dual).map { 1 / $0 } ?? 1
            for channel in group { scale[channel] = value }
        }
        return scale
    }

    /// Scales must lie in the group: a sign where only signs are free, nothing where nothing is.
    private func constrain(_ scale: inout [Double]) {
        switch site.group {
        case .pairSigns, .monomial(_, .signs): scale = scale.map { $0 < 0 ? -1 : 1 }
        case .pairScales: scale = scale.map(\.magnitude)
        case .monomial(_, .unit): scale = scale.map { _ in 1 }
        case .monomial(_, .positive): scale = scale.map(\.magnitude)
        default: break
        }
    }

    private func compare(_ slice: Site.Slice, _ source: [Int], _ factor: [Double], _ worst: inout WorstError) {
        let floor = tolerance.floor
        let fits = visit(slice, source) { channel, x, y in
            let expected = factor[channel] * x
            let error = (y - expected).magnitude
            // A NaN is unequal to itself and is an error too.
            guard error != 0 else { return }
            worst.include(error / (expected.magnitude + floor), "\(slice.tensor), channel \(slice.start + channel)")
        }
        if !fits { worst.include(.infinity, "its tensors do not fit") }
    }

    /// Calls `body(channel, original entry of the channel's source, protected entry)` for every entry of a slice; memory is
    /// two rows. False when the slice does not fit its tensors.
    @inline(__always)
    private func visit(_ slice: Site.Slice, _ source: [Int], _ body: (Int, Double, Double) -> Void) -> Bool {
        let n = source.count
        guard let a = original.checkpoint.tensors[slice.tensor], let b = protected.checkpoint.tensors[slice.tensor],
            a.matrixShape == b.matrixShape
        else { return false }
        let (rows, columns) = a.matrixShape
        let count = n * slice.width
        let band = slice.across ?? 0..<rows
        guard slice.start + count <= (slice.axis == 0 ? rows : columns), band.upperBound <= rows else { return false }
        let width = slice.axis == 0 ? columns : count
        func origin(_ index: Int) -> Int { source[index / slice.width] * slice.width + index % slice.width }
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * max(width, 1)) { buffer in
            guard let x = buffer.baseAddress else { return }
            let y = x + width
            for outer in slice.axis == 0 ? 0..<count : band {
                let start = slice.axis == 0 ? (slice.start + outer) * columns : outer * columns + slice.start
                let place = slice.axis == 0 ? (slice.start + origin(outer)) * columns : start
                original.values(a, place..<place + width, into: x)
                protected.values(b, start..<start + width, into: y)
                for inner in 0..<width {
                    if slice.axis == 0 {
                        body(outer / slice.width, x[inner], y[inner])
                    } else {
                        body(inner / slice.width, x[origin(inner)], y[inner])
                    }
                }
            }
        }
        return true
    }
}

extension Group {
    /// Channels that must share one scale, where some must.
    fileprivate var sharedScaleChannels: [[Int]]? {
        switch self {
        case .pairSigns(let pairing), .pairScales(let pairing):
            (0..<pairing.pairCount).map {
                let (a, b) = pairing.channels(ofPair: $0)
                return [a, b]
            }
        default: nil
        }
    }
}
