import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Checks a run of channels that exact elements permute and scale, where what is seen of them is rounded: finds the channel of the
/// original that each is nearest to, and compares what both hold under the element found.
struct TolerantRecovery {
    /// Products of both sides of a channel, which scales leave as they are.
    private static let products = 8

    let channels: Int
    let scales: Group.ChannelScales
    private let pieces: [(original: ChannelValues, protected: ChannelValues)]

    init(parts: [PartViews], channels: Int, scales: Group.ChannelScales) {
        (self.channels, self.scales) = (channels, scales)
        pieces = parts.flatMap(\.pieces).map { (ChannelValues($0.original), ChannelValues($0.protected)) }
    }

    /// The element nearest to what is there.
    var element: Monomial? { nearest }

    func worstError() -> WorstError { worstError(under: nearest) }

    private var nearest: Monomial {
        let (before, after) = (features(\.original), features(\.protected))
        let source = NearestRows(before, count: channels).matching(after)
        return Monomial(source: source, scale: source.indices.map { scale($0, source[$0]) })
    }

    /// ‖y - x‖ / ‖x‖ of each channel in each tensor, x being the original's under the element.
    func worstError(under element: Monomial) -> WorstError {
        var worst = WorstError()
        for (original, protected) in pieces {
            let factors =
                switch original.slice.representation {
                case .direct: element
                case .dual: element.dual
                case .permutation: element.permutation
                }
            for channel in 0..<channels {
                let (error, size) = original.distance(
                    of: factors.source[channel], times: factors.scale[channel], to: protected, channel)
                worst.include(
                    Tolerance.relative(error, to: size), "\(original.slice.tensor), channel \(channel)")
            }
        }
        return worst
    }

    private func scale(_ channel: Int, _ origin: Int) -> Double {
        guard scales != .unit else { return 1 }
        var (inner, square) = (0.0, 0.0)
        for (original, protected) in pieces where original.slice.representation != .permutation {
            let (product, own, other) = original.products(of: origin, with: protected, channel)
            // Of what is divided by the scale, the protected side stands for the original's.
            inner += product
            square += original.slice.representation == .direct ? own : other
        }
        let found = square > 0 ? inner / square : 1
        switch scales {
        case .unit: return 1
        case .signs: return found < 0 ? -1 : 1
        case .positive: return found > 0 ? found : 1
        case .signed: return found != 0 ? found : 1
        }
    }

    /// What tells channels apart, whatever their scales: one row for each.
    private func features(_ side: (((original: ChannelValues, protected: ChannelValues)) -> ChannelValues)) -> [Double]
    {
        let all = pieces.map(side)
        let plain = all.filter { scales == .unit || $0.slice.representation == .permutation }
        let direct = scales == .unit ? [] : all.filter { $0.slice.representation == .direct }
        let dual = scales == .unit ? [] : all.filter { $0.slice.representation == .dual }
        let isScaled = !direct.isEmpty && !dual.isEmpty
        return (0..<channels).flatMap { channel in
            var row = plain.flatMap { $0.values(channel) }
            if isScaled {
                for number in 0..<Self.products {
                    func sum(_ values: [ChannelValues]) -> Double {
                        values.reduce(0) { $0 + $1.signedSum(channel, seed: number) }
                    }
                    row.append(sum(direct) * sum(dual))
                }
            }
            return row
        }
    }
}

/// What a slice holds of each of its channels, widened.
struct ChannelValues {
    let slice: Site.Slice
    private let width: Int
    /// Channel by channel.
    private let all: [Double]

    init(_ view: SliceView) {
        slice = view.slice
        let (indices, lines) = (view.indices, view.lines)
        width = slice.width * lines
        var stored = [Double](repeating: 0, count: indices * lines)
        stored.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { view.read(into: base) }
        }
        if view.isRows {
            all = stored
        } else {
            var turned = [Double](repeating: 0, count: indices * lines)
            for line in 0..<lines {
                for index in 0..<indices { turned[index * lines + line] = stored[line * indices + index] }
            }
            all = turned
        }
    }

    func values(_ channel: Int) -> ArraySlice<Double> { all[channel * width..<(channel + 1) * width] }

    /// Σ ± x, with signs that differ from seed to seed.
    func signedSum(_ channel: Int, seed: Int) -> Double {
        var bits = 0x9e37_79b9_7f4a_7c15 &* UInt64(truncatingIfNeeded: seed + 1)
        return values(channel).reduce(0) { sum, value in
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return bits >> 63 == 0 ? sum + value : sum - value
        }
    }

    /// ‖y - s·x‖ and ‖s·x‖, x being a channel here and y one there.
    func distance(
        of channel: Int, times scale: Double, to other: ChannelValues, _ there: Int
    ) -> (error: Double, size: Double) {
        let sums = zip(values(channel), other.values(there)).reduce((0.0, 0.0)) { sums, pair in
            let expected = pair.0 * scale
            return (sums.0 + (pair.1 - expected) * (pair.1 - expected), sums.1 + expected * expected)
        }
        return (sums.0.squareRoot(), sums.1.squareRoot())
    }

    /// ⟨x, y⟩, ⟨x, x⟩ and ⟨y, y⟩.
    func products(of channel: Int, with other: ChannelValues, _ there: Int) -> (Double, Double, Double) {
        zip(values(channel), other.values(there)).reduce((0.0, 0.0, 0.0)) {
            ($0.0 + $1.0 * $1.1, $0.1 + $1.0 * $1.0, $0.2 + $1.1 * $1.1)
        }
    }
}

/// Finds the nearest of many rows, each once.
struct NearestRows {
    private let rows: [Double]
    private let count, width: Int
    private let scale: [Double]
    /// Of the rows, by what a random projection makes of them.
    private let order: [(key: Double, row: Int)]

    init(_ rows: [Double], count: Int) {
        (self.rows, self.count) = (rows, count)
        let width = count > 0 ? rows.count / count : 0
        self.width = width
        var squares = [Double](repeating: 0, count: width)
        for (place, value) in rows.enumerated() { squares[place % width] += value * value }
        // Each kind of number counts alike.
        let scale = squares.map { $0 > 0 && $0.isFinite ? (Double(count) / $0).squareRoot() : 0 }
        self.scale = scale
        order = (0..<count).map { (Self.key(rows, $0, width, scale), $0) }.sorted { $0 < $1 }
    }

    /// A sum with signs, at most √width apart for rows that are one apart; 0 where it is no number, so that all can be compared.
    private static func key(_ rows: [Double], _ row: Int, _ width: Int, _ scale: [Double]) -> Double {
        let key = (0..<width).reduce(0.0) { sum, place in
            let value = rows[row * width + place] * scale[place]
            return (place &* 0x9e37_79b1) & 0x8000 == 0 ? sum + value : sum - value
        }
        return key.isFinite ? key : 0
    }

    /// For each row of another list the nearest here that no earlier one has taken.
    func matching(_ other: [Double]) -> [Int] {
        var isTaken = [Bool](repeating: false, count: count)
        let reach = Double(width).squareRoot()
        return (0..<count).map { number in
            let key = Self.key(other, number, width, scale)
            var low = 0
            var high = order.count
            while low < high {
                let middle = (low + high) / 2
                if order[middle].key < key { low = middle + 1 } else { high = middle }
            }
            var (best, distance) = (-1, Double.infinity)
            var (down, up) = (low - 1, low)
            // Outwards from where the key lies, until nothing nearer can follow.
            while down >= 0 || up < order.count {
                let below = down >= 0 ? key - order[down].key : .infinity
                let above = up < order.count ? order[up].key - key : .infinity
                let gap = min(below, above)
                if best >= 0, gap > distance * reach { break }
                let row = below <= above ? order[down].row : order[up].row
                if below <= above { down -= 1 } else { up += 1 }
                guard !isTaken[row] else { continue }
                let found = self.distance(row, other, number)
                if best < 0 || found < distance { (best, distance) = (row, found) }
            }
            if best >= 0 { isTaken[best] = true }
            return max(best, 0)
        }
    }

    private func distance(_ row: Int, _ other: [Double], _ number: Int) -> Double {
        var sum = 0.0
        for place in 0..<width {
            let difference = (rows[row * width + place] - other[number * width + place]) * scale[place]
            sum += difference * difference
        }
        return sum.isNaN ? .infinity : sum.squareRoot()
    }
}
