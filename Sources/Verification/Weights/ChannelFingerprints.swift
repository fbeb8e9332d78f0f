import Checkpoints
import Symmetries

/// What a channel holds in all slices of its site, but for the scale that its group allows: channels of equal fingerprints may stand
/// in for each other.
///
/// Weights are read relative to the channel's first that is not zero: direct ones times ± a power of two, dual ones times its
/// inverse. Zeros, (w, -w) and channels of one content thus find partners, whichever they are.
struct ChannelFingerprints {
    /// Entries of each slice that tell most channels apart.
    static let prefix = 8

    let values: [UInt64]
    /// ± a power of two: what the first weight of the channel that is not zero has for sign and exponent; the sign of its zeros where
    /// all are zero.
    let scales: [Double]
    /// Each channel differs from every other and has a scale.
    let areDistinct: Bool

    /// - Parameter limit: of the lines that are read in each slice.
    init(_ views: [SliceView], count: Int, scales law: Group.ChannelScales, limit: Int) {
        var hashes = [UInt64](repeating: 0xcbf2_9ce4_8422_2325, count: count)
        var found = [Double?](repeating: law == .unit ? 1 : nil, count: count)
        var signs = [Double](repeating: 0, count: count)
        // Direct slices first: with them a scale is what it is.
        for representation in [Representation.direct, .dual] where law != .unit {
            for view in views where view.slice.representation == representation {
                Self.visit(view, limit) { channel, value in
                    if signs[channel] == 0 { signs[channel] = value.sign == .minus && law != .positive ? -1 : 1 }
                    guard found[channel] == nil, value != 0, value.isFinite else { return }
                    let exponent = representation == .direct ? value.exponent : -value.exponent
                    let power = Double(sign: .plus, exponent: law == .signs ? 0 : Int(exponent), significand: 1)
                    found[channel] = value.sign == .minus && law != .positive ? -power : power
                }
            }
        }
        let scales = found.indices.map { found[$0] ?? (signs[$0] == 0 ? 1 : signs[$0]) }
        let haveScales = found.allSatisfy { $0 != nil }
        for view in views {
            let representation = view.slice.representation
            Self.visit(view, limit) { channel, value in
                let scale = representation == .permutation ? 1 : scales[channel]
                let sign = value.sign == scale.sign ? 0 : 1
                var exponent = 0
                if value != 0, value.isFinite {
                    let own = Int(value.exponent)
                    exponent = representation == .dual ? own + Int(scale.exponent) : own - Int(scale.exponent)
                }
                Self.mix(&hashes[channel], value.significand.bitPattern)
                Self.mix(&hashes[channel], UInt64(truncatingIfNeeded: 4 * exponent + (value.isFinite ? 0 : 2) + sign))
            }
        }
        values = hashes
        self.scales = scales
        areDistinct = haveScales && Set(hashes).count == count
    }

    private static func mix(_ hash: inout UInt64, _ bits: UInt64) {
        let mixed = (hash ^ bits) &* 0x9e37_79b9_7f4a_7c15
        hash = mixed ^ (mixed >> 29)
    }

    /// Calls `body` for every entry of every channel, each channel's in one order, as they lie in storage.
    @inline(__always)
    private static func visit(_ view: SliceView, _ limit: Int, _ body: (Int, Double) -> Void) {
        let (width, lines) = (view.slice.width, min(limit, view.lines))
        var window = view.window
        for run in 0..<(view.isRows ? view.indices : lines) {
            for place in 0..<(view.isRows ? lines : view.indices) {
                let (index, line) = view.isRows ? (run, place) : (place, run)
                body(index / width, view.value(index: index, line: line))
            }
            window.didRead(view.runBytes)
        }
    }

    /// For each channel of `other` the channel here that it may come from, and their scales' quotient; nil where none is left.
    func match(_ other: ChannelFingerprints) -> [(source: Int, scale: Double)?] {
        var places: [UInt64: [Int]] = [:]
        for channel in values.indices.reversed() { places[values[channel], default: []].append(channel) }
        return other.values.indices.map { channel in
            guard let source = places[other.values[channel]]?.popLast() else { return nil }
            return (source, other.scales[channel] / scales[source])
        }
    }
}
