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
        /// How many magnitudes fall into each of 2^16 classes, read once.
        func counts(_ add: (UnsafeMutableBufferPointer<Float>, UnsafeMutablePointer<UInt64>) -> Void) throws -> [UInt64]
        {
            var counts = [UInt64](repeating: 0, count: 1 << 16)
            try counts.withUnsafeMutableBufferPointer { counts in
                guard let counts = counts.baseAddress else { return }
                try scan { _, part in
                    add(part, counts)
                    return true
                }
            }
            return counts
        }
        var remaining = min(count, total)
        /// The highest class at which as many as are still to be taken have been counted.
        func place(_ counts: [UInt64]) -> Int {
            var place = counts.count - 1
            while place > 0, counts[place] < UInt64(remaining) {
                remaining -= Int(counts[place])
                place -= 1
            }
            return place
        }
        let high = UInt32(
            place(try counts { part, counts in for value in part { counts[Int(value.bitPattern >> 16)] &+= 1 } }))
        let fine = try counts { part, counts in
            for value in part where value.bitPattern >> 16 == high { counts[Int(value.bitPattern & 0xFFFF)] &+= 1 }
        }
        let low = place(fine)
        let cut = high << 16 | UInt32(low)
        var last = total - 1
        if fine[low] > UInt64(remaining) {
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
