/// Tells the largest of many magnitudes from the rest, exactly: of those that equal the smallest that is taken, the first are.
public struct MagnitudeCut: Sendable {
    /// Magnitudes are compared by their bits, which order them.
    @usableFromInline let least: UInt32
    /// Of those that equal it, the last that is taken.
    @usableFromInline let lastEqual: Int

    /// - Parameters:
    ///   - count: how many are to be taken.
    ///   - total: how many there are.
    ///   - run: how many are read at once.
    ///   - read: writes the magnitudes of a range, none of them negative; called up to three times for each.
    public init(
        largest count: Int, of total: Int, run: Int = 1 << 15,
        reading read: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) rethrows {
        guard count > 0, total > 0 else {
            (least, lastEqual) = (.max, -1)
            return
        }
        func scan(_ use: (Int, UnsafeMutableBufferPointer<Float>) -> Bool) throws {
            try withUnsafeTemporaryAllocation(of: Float.self, capacity: run) { buffer in
                for start in stride(from: 0, to: total, by: run) {
                    let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(run, total - start)])
                    try read(start..<start + part.count, part)
                    guard use(start, part) else { return }
                }
            }
        }
        var remaining = min(count, total)
        /// The highest class at which as many as are still to be taken have been counted.
        func place(_ counts: [Int]) -> Int {
            var place = counts.count - 1
            while place > 0, counts[place] < remaining {
                remaining -= counts[place]
                place -= 1
            }
            return place
        }
        var counts = [Int](repeating: 0, count: 1 << 16)
        try scan { _, part in
            for value in part { counts[Int(value.bitPattern >> 16)] += 1 }
            return true
        }
        let high = UInt32(place(counts))
        counts = [Int](repeating: 0, count: 1 << 16)
        try scan { _, part in
            for value in part where value.bitPattern >> 16 == high { counts[Int(value.bitPattern & 0xFFFF)] += 1 }
            return true
        }
        let low = place(counts)
        let cut = high << 16 | UInt32(low)
        var last = total - 1
        if counts[low] > remaining {
            try scan { start, part in
                for (place, value) in part.enumerated() where value.bitPattern == cut {
                    remaining -= 1
                    guard remaining == 0 else { continue }
                    last = start + place
                    return false
                }
                return true
            }
        }
        (least, lastEqual) = (cut, last)
    }

    /// Whether the magnitude at a place is among the largest.
    @inlinable
    public func takes(_ magnitude: Float, at place: Int) -> Bool {
        let bits = magnitude.bitPattern
        return bits > least || bits == least && place <= lastEqual
    }
}
