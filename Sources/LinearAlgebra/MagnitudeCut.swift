import CKernels

/// Tells the largest of many magnitudes from the rest, exactly: of those that equal the smallest that is taken, the first are.
public struct MagnitudeCut: Sendable {
    /// Magnitudes are compared by their bits, which order them: of the 31, the upper ones are a class, and the lower ones tell its members apart.
    private static let (upper, lower) = (16, 15)
    /// No magnitude has these bits.
    private static let none: UInt32 = 1 << 31
    /// One run in so many foretells between which classes the cut falls, if there are no more than these or their members are no more than a
    /// quarter of the magnitudes: so many numbers are cleared first.
    private static let (sampled, classes) = (32, 16)

    /// The bits of the smallest that is taken.
    package let least: UInt32
    /// Where those end that equal it and are taken.
    package let endOfEqual: Int

    /// - Parameters:
    ///   - count: how many are to be taken.
    ///   - total: how many there are.
    ///   - run: how many are read at once.
    ///   - read: writes the magnitudes of a range, none of them negative; called up to five times for each, mostly once or twice.
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
        /// How many fall into each class.
        func classCounts(every step: Int = 1) throws -> [UInt64] {
            var counts = [UInt64](repeating: 0, count: 1 << Self.upper)
            try scan(every: step) { _, part in
                mp_count_classes(&counts, part.baseAddress, part.count, Int32(Self.lower))
                return true
            }
            return counts
        }
        /// How many have each bits of some classes, and how many lie above these.
        func members(of classes: ClosedRange<Int>) throws -> (counts: [UInt64], above: Int) {
            var counts = [UInt64](repeating: 0, count: classes.count << Self.lower)
            var above = 0
            let first = UInt32(classes.lowerBound << Self.lower)
            try scan { _, part in
                above += mp_count_between(&counts, part.baseAddress, part.count, first, UInt32(counts.count))
                return true
            }
            return (counts, above)
        }
        let wanted = min(count, total)
        /// The first bits of some classes that hold the cut, their members, and how many of these are taken.
        func narrowed() throws -> (first: Int, members: [UInt64], taken: Int) {
            if total / run >= 2 * Self.sampled {
                let counts = try classCounts(every: Self.sampled)
                let guess = Double(wanted) / Double(total) * Double(counts.reduce(0, +))
                let spread = 4 * (guess.squareRoot() + 1)
                let ends = [guess + spread, guess - spread].map { Self.place(of: max(1, Int($0)), in: counts).place }
                if ends[1] - ends[0] < max(Self.classes, total >> (Self.lower + 2)) {
                    let (members, above) = try members(of: ends[0]...ends[1])
                    if above < wanted, wanted - above <= members.reduce(0, +) {
                        return (ends[0] << Self.lower, members, wanted - above)
                    }
                }
            }
            let high = Self.place(of: wanted, in: try classCounts()).place
            let (members, above) = try members(of: high...high)
            return (high << Self.lower, members, wanted - above)
        }
        let (first, members, taken) = try narrowed()
        var (low, remaining) = Self.place(of: taken, in: members)
        let cut = UInt32(first + low)
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

    /// The highest place at or above which as many have been counted as are wanted, and how many of them it must give; the first where
    /// there are not as many.
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
