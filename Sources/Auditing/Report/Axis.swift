import Foundation

/// One axis of a chart: from values to places, with ticks at round numbers.
package struct Axis {
    package let bounds: ClosedRange<Double>
    package let ticks: [Double]
    /// Places of the bounds, the lower one first.
    package let places: (Double, Double)

    /// - Parameter values: what must lie on it; what is no number is left out.
    package init(_ values: [Double], places: (Double, Double), count: Int = 4) {
        self.places = places
        let (first, last, step) = Self.steps(of: values, count)
        bounds = first * step...last * step
        ticks = stride(from: first, through: last, by: 1).map { $0 * step }
    }

    package func place(_ value: Double) -> Double {
        let share = (value - bounds.lowerBound) / (bounds.upperBound - bounds.lowerBound)
        return places.0 + share * (places.1 - places.0)
    }

    /// The smallest range between round numbers that holds all values but for rounding.
    package static func bounds(of values: [Double], count: Int = 4) -> ClosedRange<Double> {
        let (first, last, step) = steps(of: values, count)
        return first * step...last * step
    }

    /// Whole numbers and what they are multiples of, which is no less than nothing.
    private static func steps(of values: [Double], _ count: Int) -> (first: Double, last: Double, step: Double) {
        // What is larger has no room between two numbers.
        let values = values.filter { $0.magnitude < 1e100 }
        guard var least = values.min(), var most = values.max() else { return (0, 1, 1) }
        if most - least < 1e-6 * max(most.magnitude, least.magnitude, 1e-3) {
            let room = max(0.05 * most.magnitude, 0.05)
            (least, most) = (least - room, most + room)
        }
        let step = step(most - least, count)
        // A value that is one of the round numbers but for rounding needs no room beyond it.
        func whole(_ value: Double, _ rule: FloatingPointRoundingRule) -> Double {
            let nearest = (value / step).rounded()
            return abs(value / step - nearest) < 1e-9 ? nearest : (value / step).rounded(rule)
        }
        return (whole(least, .down), whole(most, .up), step)
    }

    /// 1, 2 or 5 times a power of ten, of which about `count` make the range.
    private static func step(_ range: Double, _ count: Int) -> Double {
        guard range.isFinite, range > 0 else { return 1 }
        let exact = range / Double(count)
        let power = pow(10, log10(exact).rounded(.down))
        let factor = [1.0, 2, 5, 10].first { $0 * power >= exact * 0.999 } ?? 10
        return factor * power
    }
}
