import Glibc
import LinearAlgebra
import Symmetries

/// How near a site's weights come to the base's once an element is undone.
struct Nearness {
    /// The cosine of all that the site holds in both models, each side counting as much as the other.
    let agreement: Double
    /// `Σ ln(‖X - X₀‖² / ‖X₀‖²)` over the sides.
    let distance: Double
    /// Below this share a side counts as the same: rounding.
    private static let floor = 1e-12

    /// - Parameter dual: what is undone of the dual side, where that is not the element.
    init(_ element: Element, dual: Element? = nil, _ own: SiteRows, _ before: SiteRows) {
        var (inner, size, parts, distance) = (0.0, 0.0, 0.0, 0.0)
        for (representation, rows, rows0) in [
            (Representation.direct, own.direct, before.direct), (.dual, own.dual, before.dual),
            (.permutation, own.moved, before.moved),
        ] where rows.columns > 0 && rows.columns == rows0.columns {
            var (start, rest, whole) = (0, 0.0, 0.0)
            let acting = representation == .dual ? dual ?? element : element
            for action in acting.inverse.actions(representation) {
                let range = start..<start + action.length
                start = range.upperBound
                let (back, aim) = (Self.undone(rows.rows(range), action), rows0.rows(range))
                rest += zip(back.elements, aim.elements).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                let (a, b) = (back.squaredNorm, aim.squaredNorm)
                whole += b
                guard a > 0, b > 0 else { continue }
                inner += dot(back.elements[...], aim.elements[...]) / b
                size += a / b
                parts += 1
            }
            if whole > 0 { distance += log(max(rest / whole, Self.floor)) }
        }
        agreement = size > 0 && parts > 0 ? inner / (size * parts).squareRoot() : 0
        self.distance = distance
    }

    private static func undone(_ rows: Matrix<Double>, _ action: AxisAction) -> Matrix<Double> {
        guard case .monomial(let monomial) = action else { return action.matrix * rows }
        var elements: [Double] = []
        elements.reserveCapacity(rows.elements.count)
        for (origin, scale) in zip(monomial.source, monomial.scale) { elements += rows.row(origin).map { $0 * scale } }
        return Matrix(rows: rows.rows, columns: rows.columns, elements: elements)
    }
}
