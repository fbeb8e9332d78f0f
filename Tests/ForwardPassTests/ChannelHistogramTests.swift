import ForwardPass
import LinearAlgebra
import Testing

/// Spreads of channels against counting value by value.
@Suite struct ChannelHistogramTests {
    /// Channels of very different sizes, one constant, one that grows from call to call.
    private func rows(_ count: Int, call: Int) -> [[Float]] {
        var stream = KeyedRandomStream(secret: [UInt8(call)], info: "rows")
        return (0..<count).map { _ in
            let x = stream.nextGaussian()
            return [Float(x), Float(1e-6 * x), Float(1e4 + x), 0.75, Float(x * Double(1 << (2 * call))), 0].map { $0 }
        }
    }

    private func feed(_ sink: some ActivationSink, _ rows: [[Float]]) throws {
        let columns = rows[0].count
        try rows.flatMap(\.self).withUnsafeBufferPointer { values in
            let base = try #require(values.baseAddress)
            try sink.take(MatrixView(base, rows: rows.count, columns: columns, rowStride: columns))
        }
    }

    @Test func everyValueIsCountedInItsBin() throws {
        let sink = ChannelHistograms(channels: 6)
        let calls = (0..<7).map { rows(50 + $0, call: $0) }
        for call in calls { try feed(sink, call) }
        let all = calls.flatMap(\.self)
        #expect(sink.count == all.count)
        for channel in 0..<6 {
            let values = all.map { Double($0[channel]) }
            let (least, most) = (try #require(values.min()), try #require(values.max()))
            #expect(sink.spread.minimum[channel] == least && sink.spread.maximum[channel] == most)
            let bins = sink.spread.histogram(of: channel)
            #expect(bins.count <= ChannelSpread.bins && bins.reduce(0) { $0 + $1.count } == all.count)
            guard bins.count > 2 else {
                #expect(least == most)
                continue
            }
            #expect(bins.count > ChannelSpread.bins / 2 - 2)
            // Inner centres are a bin's width apart, its edges half of that to either side.
            let width = bins[2].centre - bins[1].centre
            for (number, bin) in bins.enumerated().dropFirst().dropLast() {
                let expected = values.count { $0 >= bin.centre - width / 2 && $0 < bin.centre + width / 2 }
                #expect(bin.count == expected, "channel \(channel), bin \(number)")
            }
        }
    }

    /// What lies among other columns is read alone.
    @Test func someColumnsAreTaken() throws {
        let (all, some) = (ChannelHistograms(channels: 6), ChannelHistograms(channels: 3, offset: 1, stride: 2))
        let rows = rows(40, call: 3)
        try feed(all, rows)
        try feed(some, rows)
        for channel in 0..<3 {
            let (a, b) = (all.spread.histogram(of: 1 + 2 * channel), some.spread.histogram(of: channel))
            #expect(a.map(\.centre) == b.map(\.centre) && a.map(\.count) == b.map(\.count))
        }
        let counter = OutlierCounts(ranges: [0...2, 0.75...0.75, 0...0], offset: 1, stride: 2)
        try feed(counter, rows)
        let outside = rows.count { !(0...2).contains($0[1]) } + rows.count { $0[5] != 0 }
        #expect(counter.total == 120 && counter.outside == outside)
    }

    @Test func whatIsNoNumberStaysVisible() throws {
        let sink = ChannelHistograms(channels: 2)
        try feed(sink, [[1, 2], [.nan, .infinity], [3, 4]])
        try feed(sink, [[5, 6]])
        #expect(sink.spread.minimum[0].isNaN && sink.spread.maximum[1] == .infinity)
    }
}
