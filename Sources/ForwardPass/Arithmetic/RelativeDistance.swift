/// ‖b - a‖ / ‖a‖, summed up pair by pair.
package struct RelativeDistance {
    private var (difference, size) = (0.0, 0.0)

    package init() {}

    @inline(__always)
    package mutating func add(_ a: Double, _ b: Double) {
        difference += (b - a) * (b - a)
        size += a * a
    }

    /// Infinite where b is not finite.
    package var value: Double {
        if difference == 0 { return 0 }
        let ratio = (difference / size).squareRoot()
        return ratio.isFinite ? ratio : .infinity
    }
}
