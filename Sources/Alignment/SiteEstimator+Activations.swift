import LinearAlgebra
import Symmetries

extension SiteEstimator {
    /// The element from what both models compute of the channels, in place of the weights' rows: of each side `Z` (positions x channels) has the norm 1 in
    /// the base, and beside it stand the weights' rows, which have the norm `√share` there.
    func compared(_ group: Group, _ own: SiteRows, _ before: SiteRows, share: Double) throws -> Element {
        guard case .monomial(_, let scales) = group else {
            return try element(
                of: group, sides(own, before, share), moved: own.moved.emptied, before.moved.emptied)
        }
        func products(
            _ representation: Representation, _ rows: Matrix<Double>, _ rows0: Matrix<Double>
        ) -> ChannelProducts {
            let none = ChannelProducts(rows.emptied, rows0.emptied)
            guard let gram = seen[representation], !gram.isZero else { return none }
            let products = ChannelProducts(gram).scaled(1 / gram.beforeSquares.reduce(0, +))
            let size = rows0.squaredNorm
            guard share > 0, size > 0, rows.columns == rows0.columns else { return products }
            return products.adding(ChannelProducts(rows, rows0).scaled(share / size))
        }
        let match = ChannelMatch(
            direct: products(.direct, own.direct, before.direct), dual: products(.dual, own.dual, before.dual),
            moved: products(.permutation, own.moved, before.moved))
        return .monomial(try match.monomial(scales, permutesOnly: method.permutesOnly))
    }

    private func sides(_ own: SiteRows, _ before: SiteRows, _ share: Double) throws -> Sides {
        func side(
            _ representation: Representation, _ rows: Matrix<Double>, _ rows0: Matrix<Double>
        ) throws -> (Matrix<Double>, Matrix<Double>) {
            guard let gram = seen[representation], !gram.isZero, let factors = try gram.factors() else {
                // A side that nothing is seen of says nothing.
                let none = Matrix<Double>(rows: rows.rows, columns: 1, repeating: 0)
                return (none, none)
            }
            let factor = (1 / gram.beforeSquares.reduce(0, +)).squareRoot()
            let (left, left0) = (factors.own * factor, factors.before * factor)
            let size = rows0.squaredNorm
            guard share > 0, size > 0, rows.columns == rows0.columns else { return (left, left0) }
            let weight = (share / size).squareRoot()
            return (left.beside(rows * weight), left0.beside(rows0 * weight))
        }
        let (left, left0) = try side(.direct, own.direct, before.direct)
        let (right, right0) = try side(.dual, own.dual, before.dual)
        return Sides(left: left, right: right, left0: left0, right0: right0)
    }
}

extension Matrix<Double> {
    /// As many rows, and no columns.
    fileprivate var emptied: Self { Self(rows: rows, columns: 0, elements: []) }

    /// Each row with the other's behind it.
    fileprivate func beside(_ other: Self) -> Self {
        var elements: [Double] = []
        elements.reserveCapacity(rows * (columns + other.columns))
        for i in 0..<rows {
            elements += row(i)
            elements += other.row(i)
        }
        return Self(rows: rows, columns: columns + other.columns, elements: elements)
    }
}
