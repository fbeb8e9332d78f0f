import LinearAlgebra

/// How the values of each channel are spread: up to 128 bins over its range, whose width is the least power of two that does, and the ends
/// of the range.
///
/// Bins are multiples of their width, so that they are merged exactly where the range grows.
public struct ChannelSpread: Sendable {
    public static let bins = 128
    /// A range this many binary orders below its values is one value.
    private static let resolution = 24

    /// Of each channel; NaN where a value is NaN.
    public private(set) var minimum, maximum: [Double]
    /// Of a channel's bins, as a power of two; nil before the first value.
    private var exponents: [Int?]
    private var counts: [UInt32]

    init(channels: Int) {
        minimum = [Double](repeating: .infinity, count: channels)
        maximum = [Double](repeating: -.infinity, count: channels)
        exponents = [Int?](repeating: nil, count: channels)
        counts = [UInt32](repeating: 0, count: channels * Self.bins)
    }

    /// A channel's bins from its first to its last: their centres within the range, and how many values lie in each.
    public func histogram(of channel: Int) -> [(centre: Double, count: Int)] {
        guard let exponent = exponents[channel] else { return [] }
        let (least, most) = (minimum[channel], maximum[channel])
        let first = Self.bin(least, exponent)
        return (first...Self.bin(most, exponent)).map { bin in
            let centre = (Double(bin) + 0.5) * Double(sign: .plus, exponent: exponent, significand: 1)
            return (min(max(centre, least), most), Int(counts[channel * Self.bins + bin - first]))
        }
    }

    /// Counts a channel's values, which are `stride` apart. What is not finite leaves the counts as they are.
    mutating func add<Real: RealScalar>(_ values: UnsafePointer<Real>, _ count: Int, stride: Int, to channel: Int) {
        let former = minimum[channel]
        for row in 0..<count {
            let value = Double(values[row * stride])
            if value < minimum[channel] || value.isNaN { minimum[channel] = value }
            if value > maximum[channel] || value.isNaN { maximum[channel] = value }
        }
        guard minimum[channel].isFinite, maximum[channel].isFinite else { return }
        let exponent = widen(channel, from: former)
        let start = channel * Self.bins - Self.bin(minimum[channel], exponent)
        for row in 0..<count { counts[start + Self.bin(Double(values[row * stride]), exponent)] &+= 1 }
    }

    /// The multiple of a bin's width at or below a value.
    private static func bin(_ value: Double, _ exponent: Int) -> Int {
        Int((value * Double(sign: .plus, exponent: -exponent, significand: 1)).rounded(.down))
    }

    /// Makes a channel's bins wide enough for its range, and moves what they hold.
    private mutating func widen(_ channel: Int, from former: Double) -> Int {
        let (least, most) = (minimum[channel], maximum[channel])
        let size = max(least.magnitude, most.magnitude)
        var exponent = max(size > 0 ? Int(size.exponent) - Self.resolution : 0, -1000)
        if let known = exponents[channel] { exponent = max(exponent, known) }
        while Self.bin(most, exponent) - Self.bin(least, exponent) >= Self.bins { exponent += 1 }
        defer { exponents[channel] = exponent }
        guard let known = exponents[channel] else { return exponent }
        let (before, first, shift) = (Self.bin(former, known), Self.bin(least, exponent), exponent - known)
        guard shift > 0 || before != first else { return exponent }
        let range = channel * Self.bins..<(channel + 1) * Self.bins
        let held = Array(counts[range])
        for place in range { counts[place] = 0 }
        for (bin, number) in held.enumerated() where number > 0 {
            counts[range.lowerBound + ((before + bin) >> shift) - first] &+= number
        }
        return exponent
    }
}

/// Gathers the spread of some channels of a point.
public final class ChannelHistograms: ActivationSink {
    /// How many rows there were.
    public private(set) var count = 0
    public private(set) var spread: ChannelSpread
    private var width = 0
    private let channels, offset, stride: Int

    /// - Parameters:
    ///   - offset: the first channel's place in a row.
    ///   - stride: from one to the next.
    public init(channels: Int, offset: Int = 0, stride: Int = 1) {
        (self.channels, self.offset, self.stride) = (channels, offset, stride)
        spread = ChannelSpread(channels: channels)
    }

    public func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws {
        try requireWidth(activations.columns, of: width, after: count)
        guard let base = activations.base, offset + (channels - 1) * stride < activations.columns else { return }
        (width, count) = (activations.columns, count + activations.rows)
        for channel in 0..<channels {
            spread.add(base + offset + channel * stride, activations.rows, stride: activations.rowStride, to: channel)
        }
    }
}

/// How many values lie outside of their channels' ranges.
public final class OutlierCounts: ActivationSink {
    /// All values, and those outside.
    public private(set) var total = 0
    public private(set) var outside = 0
    private let ranges: [ClosedRange<Double>]
    private let offset, stride: Int

    /// - Parameters:
    ///   - offset: the first channel's place in a row.
    ///   - stride: from one to the next.
    public init(ranges: [ClosedRange<Double>], offset: Int = 0, stride: Int = 1) {
        (self.ranges, self.offset, self.stride) = (ranges, offset, stride)
    }

    public func take<Real: RealScalar>(_ activations: MatrixView<Real>) throws {
        guard let base = activations.base, offset + (ranges.count - 1) * stride < activations.columns else { return }
        for row in 0..<activations.rows {
            let values = base + row * activations.rowStride + offset
            for (channel, range) in ranges.enumerated() where !range.contains(Double(values[channel * stride])) {
                outside += 1
            }
        }
        total += activations.rows * ranges.count
    }
}
