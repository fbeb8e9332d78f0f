import Checkpoints
import Symmetries

/// What a channel holds in all slices of its site, but for the scale that its group allows: channels of equal fingerprints may stand
/// in for each other.
///
/// Weights are read relative to the channel's first that is not zero: direct ones times ± a power of two, dual ones times its
/// inverse. Zeros, (w, -w) and channels of one content thus find partners, whichever they are.
struct ChannelFingerprints {
    /// Entries of each slice that tell most channels apart.
    static let prefix = 32

    private(set) var values: [UInt64]
    /// ± a power of two: what the first weight of the channel that is not zero has for sign and exponent; nil where all are zero.
    private(set) var scales: [Double?]

    /// - Parameter limit: of the lines that are read in each slice.
    init(_ views: [SliceView], count: Int, scales law: Group.ChannelScales, limit: Int) {
        values = [UInt64](repeating: 0xcbf2_9ce4_8422_2325, count: count)
        scales = [Double?](repeating: law == .unit ? 1 : nil, count: count)
        var signs = [Double](repeating: 0, count: count)
        let scaled = views.filter { $0.slice.representation != .permutation }
        if law != .unit {
            for view in scaled.filter({ $0.slice.representation == .direct })
                + scaled.filter({ $0.slice.representation == .dual })
            {
                Self.visit(view, limit) { channel, value in
                    if signs[channel] == 0 { signs[channel] = value.sign == .minus ? -1 : 1 }
                    guard scales[channel] == nil, value != 0, value.isFinite else { return }
                    let exponent = view.slice.representation == .direct ? value.exponent : -value.exponent
                    let power = Double(sign: .plus, exponent: law == .signs ? 0 : Int(exponent), significand: 1)
                    scales[channel] = value.sign == .minus && law != .positive ? -power : power
                }
            }
        }
        for view in views {
            let representation = view.slice.representation
            Self.visit(view, limit) { channel, value in
                var scale = 1.0
                if representation != .permutation {
                    scale = scales[channel] ?? (law == .positive ? 1 : signs[channel])
                }
                let sign = value.sign == scale.sign ? 0 : 1
                var exponent = 0
                if value != 0, value.isFinite {
                    let own = Int(value.exponent)
                    exponent = representation == .dual ? own + Int(scale.exponent) : own - Int(scale.exponent)
                }
                mix(channel, value.significand.bitPattern)
                mix(channel, UInt64(truncatingIfNeeded: 4 * exponent + (value.isFinite ? 0 : 2) + sign))
            }
        }
    }

    private mutating func mix(_ channel: Int, _ bits: UInt64) {
        let mixed = (values[channel] ^ bits) &* 0x9e37_79b9_7f4a_7c15
        values[channel] = mixed ^ (mixed >> 29)
    }

    /// Calls `body` for every entry of every channel, each channel's in one order.
    @inline(__always)
    private static func visit(_ view: SliceView, _ limit: Int, _ body: (Int, Double) -> Void) {
        let width = view.slice.width
        for index in 0..<view.indices {
            for line in 0..<min(limit, view.lines) { body(index / width, view.value(index: index, line: line)) }
        }
    }

    /// Whether each channel differs from every other and has a scale.
    var areDistinct: Bool { Set(values).count == values.count && scales.allSatisfy { $0 != nil } }

    /// For each channel of `other` the channel here that it may come from, and their scales' quotient; nil where none is left.
    func match(_ other: ChannelFingerprints) -> [(source: Int, scale: Double)?] {
        var places: [UInt64: [Int]] = [:]
        for channel in values.indices.reversed() { places[values[channel], default: []].append(channel) }
        return other.values.indices.map { channel in
            guard let source = places[other.values[channel]]?.popLast() else { return nil }
            return (source, (other.scales[channel] ?? 1) / (scales[source] ?? 1))
        }
    }
}
