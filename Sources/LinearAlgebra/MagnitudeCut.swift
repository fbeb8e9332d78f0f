import CKernels

/// Tells the largest of many magnitudes from the rest, exactly: of those that equal the smallest that is taken, the first are.
public struct MagnitudeCut: Sendable {
    /// Magnitudes are compared by their bits, which order them: of the 31, the upper ones are a class, and the lower ones tell its members apart.
    private static let (upper, lower) = (13, 18)
    /// No magnitude has these bits.
    private static let none: UInt32 = 1 << 31
    /// One run in so many tells beforehand which class the cut probably falls into.
    private static let sampled = 32

    /// The bits of the smallest that is taken.
    package let least: UInt32
    /// Where those end that equal it and are taken.
    package let endOfEqual: Int

    /// - Parameters:
    ///   - count: how many are to be taken.
    ///   - total: how many there are.
    ///   - run: how many are read at once.
    ///   - read: writes the magnitudes of a range, none of them negative; called up to four times for each, mostly once or twice.
    public init(
        largest count: Int, of total: Int, run: Int = 1 << 13,
        reading read: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void
    ) rethrows {
        guard count > 0, total > 0 else {
            (least, endOfEqual) = (Self.none, 0)
            return
        }
        /// - Parameter step: every which run is read.
        func scan(every step: Int = 1, _ use: (Int, UnsafeMutableBufferPointer<Float>) -> Bool) throws {
            try withUnsafeTemporaryAllocation(of: Float.self, capacity: run) { buffer in
                for start in stride(from: 0, to: total, by: run * step) {
                    let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(run, total - start)])
                    try read(start..<start + part.count, part)
                    guard use(start, part) else { return }
                }
            }
        }
        /// How many fall into each class, and how many members of one class have each value of the lower bits.
        func counts(every step: Int = 1, within guess: UInt32? = nil) throws -> (classes: [UInt64], members: [UInt64]) {
            var classes = [UInt64](repeating: 0, count: 1 << Self.upper)
            var members = [UInt64](repeating: 0, count: guess == nil ? 0 : 1 << Self.lower)
            try scan(every: step) { _, part in
                mp_count_classes(&classes, part.baseAddress, part.count, Int32(Self.lower))
                if let guess { mp_count_within(&members, part.baseAddress, part.count, Int32(Self.lower), guess) }
                return true
            }
            return (classes, members)
        }
        let wanted = min(count, total)
        var guess: UInt32?
        if total / run >= 2 * Self.sampled {
            let (classes, _) = try counts(every: Self.sampled)
            let share = Double(wanted) / Double(total) * Double(classes.reduce(0, +))
            guess = UInt32(Self.place(of: max(1, Int(share)), in: classes).place)
        }
        var (classes, members) = try counts(within: guess)
        let (high, beside) = Self.place(of: wanted, in: classes)
        if guess != UInt32(high) { (_, members) = try counts(within: UInt32(high)) }
        var (low, remaining) = Self.place(of: beside, in: members)
        let cut = UInt32(high << Self.lower | low)
        var end = total
        if members[low] > UInt64(remaining) {
            try scan { start, part in
                let equal = mp_count_equal(part.baseAddress, part.count, cut)
                guard equal >= remaining else {
                    remaining -= equal
                    return true
                }
                for (place, value) in part.enumerated() where value.magnitude.bitPattern == cut {
                    remaining -= 1
                    guard remaining == 0 else { continue }
                    end = start + place + 1
                    break
                }
                return false
            }
        }
        (least, endOfEqual) = (cut, end)
    }

    /// The highest place at or above which as many have been counted as are wanted, and how many of them it must give.
    private static func place(of wanted: Int, in counts: [UInt64]) -> (place: Int, remaining: Int) {
        var (place, remaining) = (counts.count - 1, wanted)
        while place > 0, counts[place] < UInt64(remaining) {
            remaining -= Int(counts[place])
            place -= 1
        }
        return (place, remaining)
    }

    /// Whether the magnitude at a place is among the largest.
    public func takes(_ magnitude: Float, at place: Int) -> Bool {
        let bits = magnitude.bitPattern
        return bits > least || bits == least && place < endOfEqual
    }
}
