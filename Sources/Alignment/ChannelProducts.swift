import LinearAlgebra

/// Inner products of one model's channels with another's, over weights or over activations at the same positions.
struct ChannelProducts: Sendable {
    /// ⟨x_i, y_j⟩ of the protected model's channels i and the base's j.
    var cross: Matrix<Double>
    /// ⟨x_i, x_i⟩ and ⟨y_j, y_j⟩.
    var own, before: [Double]

    /// - Parameters: one row for each channel, as long in both; products are 0 where they are not.
    init(_ own: Matrix<Double>, _ before: Matrix<Double>) {
        let isSeen = own.columns > 0 && own.columns == before.columns
        cross = isSeen ? own * before.transposed : Matrix(rows: own.rows, columns: before.rows, repeating: 0)
        self.own = (0..<own.rows).map { dot(own.row($0), own.row($0)) }
        self.before = (0..<before.rows).map { dot(before.row($0), before.row($0)) }
    }

    init(_ grams: JointGram) {
        (cross, own, before) = (grams.cross, grams.ownSquares, grams.beforeSquares)
    }

    func scaled(_ factor: Double) -> ChannelProducts {
        var products = self
        products.cross = cross * factor
        products.own = own.map { $0 * factor }
        products.before = before.map { $0 * factor }
        return products
    }

    /// Over the rows of both.
    func adding(_ other: ChannelProducts) -> ChannelProducts {
        var sum = self
        sum.cross = cross + other.cross
        sum.own = zip(own, other.own).map(+)
        sum.before = zip(before, other.before).map(+)
        return sum
    }

    /// The products over the norms; 0 where a channel is 0.
    var cosines: Matrix<Double> {
        func inverse(_ squares: [Double]) -> [Double] { squares.map { $0 > 0 ? 1 / $0.squareRoot() : 0 } }
        let (rows, columns) = (inverse(own), inverse(before))
        return Matrix(
            rows: cross.rows, columns: cross.columns,
            elements: cross.elements.enumerated().map { place, value in
                value * rows[place / cross.columns] * columns[place % cross.columns]
            })
    }

    /// ‖x_i‖ / ‖y_j‖; nil where one of them is 0.
    func ratio(_ i: Int, _ j: Int) -> Double? {
        guard i < own.count, j < before.count, own[i] > 0, before[j] > 0 else { return nil }
        return (own[i] / before[j]).squareRoot()
    }
}

/// Gram matrices of n channels of two models side by side, `[Z Z₀]ᵀ[Z Z₀]` (2n x 2n), Z being positions x n; of monomial groups only `ZᵀZ₀` and the norms.
struct JointGram: Sendable {
    let cross: Matrix<Double>
    /// Whole, or nil.
    let own, before: Matrix<Double>?
    let ownSquares, beforeSquares: [Double]

    var isZero: Bool { ownSquares.allSatisfy { $0 == 0 } || beforeSquares.allSatisfy { $0 == 0 } }

    /// Rows F and F₀ (n x 2n) whose inner products are the Gram matrices': `F = V √Λ` of its eigenvectors V and values Λ. Whatever is fitted to
    /// rows of weights by their inner products alone is fitted to activations so.
    func factors() throws -> (own: Matrix<Double>, before: Matrix<Double>)? {
        guard let own, let before else { return nil }
        let n = cross.rows
        var joint = Matrix<Double>(rows: 2 * n, columns: 2 * n, repeating: 0)
        for i in 0..<n {
            for j in 0..<n {
                (joint[i, j], joint[n + i, n + j]) = (own[i, j], before[i, j])
                (joint[i, n + j], joint[n + j, i]) = (cross[i, j], cross[i, j])
            }
        }
        // Rows of `vectors` are eigenvectors.
        let (values, vectors) = try joint.symmetricEigen()
        var rows = vectors.transposed
        for place in 0..<2 * n {
            let size = max(values[place], 0).squareRoot()
            for i in 0..<2 * n { rows[i, place] *= size }
        }
        return (rows.rows(0..<n), rows.rows(n..<2 * n))
    }
}
