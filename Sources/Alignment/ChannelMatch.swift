import LinearAlgebra
import Symmetries

/// Finds a permutation of channels, with signs and sizes where the group has them, from inner products.
struct ChannelMatch {
    /// Of what A acts on, of what A⁻ᵀ acts on, and of what is permuted alone.
    let direct, dual, moved: ChannelProducts
    /// Which of them tell places; sizes are told by both sides.
    var seesDirect = true
    var seesDual = true
    var seesMoved = true

    /// The assignment of channels with the largest sum of cosines, and of each its sign and size.
    ///
    /// - Parameter permutesOnly: whether inner products are taken as they are, and channels left as long as they are.
    func monomial(_ scales: Group.ChannelScales, permutesOnly: Bool) throws -> Monomial {
        let count = max(direct.cross.rows, moved.cross.rows)
        func scores(_ products: ChannelProducts, _ isSeen: Bool) -> Matrix<Double> {
            guard isSeen else { return Matrix(rows: count, columns: count, repeating: 0) }
            return permutesOnly ? products.cross : products.cosines
        }
        let signed = scores(direct, seesDirect) + scores(dual, seesDual)
        let plain = scores(moved, seesMoved)
        let hasSigns = !permutesOnly && (scales == .signs || scales == .signed)
        var costs = Matrix<Float>(rows: count, columns: count, repeating: 0)
        for i in 0..<count {
            for j in 0..<count {
                let score = hasSigns ? signed[i, j].magnitude : signed[i, j]
                costs[i, j] = Float(-(score + plain[i, j]))
            }
        }
        let source = try LinearAssignment(minimising: costs).columns
        let scale = source.enumerated().map { i, j -> Double in
            let sign: Double = hasSigns && signed[i, j] < 0 ? -1 : 1
            guard !permutesOnly, scales == .positive || scales == .signed else { return sign }
            let (up, down) = (direct.ratio(i, j), dual.ratio(i, j))
            let size = up.flatMap { up in down.map { (up / $0).squareRoot() } } ?? up ?? down.map { 1 / $0 } ?? 1
            return sign * size
        }
        return Monomial(source: source, scale: scale)
    }
}
