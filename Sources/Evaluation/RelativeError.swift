/// ‖a - b‖ / ‖b‖ over everything; infinite where lengths differ or nothing is there.
public func relativeError(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count, !a.isEmpty else { return .infinity }
    var (difference, size) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
        difference += (x - y) * (x - y)
        size += y * y
    }
    let error = (difference / size).squareRoot()
    return error.isNaN ? .infinity : error
}
