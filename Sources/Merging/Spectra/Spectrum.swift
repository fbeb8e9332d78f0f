import LinearAlgebra

/// Singular values and right singular vectors of a matrix with at least as many rows as columns, of the eigenvalues of its Gram matrix in f64.
///
/// A = U·diag(σ)·Vᵀ, AᵀA = V·diag(σ²)·Vᵀ. The square costs half of the digits: σ is known to about σ_max²/σ·2⁻⁵², and what is below 10⁻⁶ σ_max is
/// taken as 0. That is finer than what a task vector in f32 tells, at the cost of the shorter side's eigenproblem alone.
struct Spectrum {
    /// Descending, one for each column.
    let values: [Double]
    /// How many values are more than rounding.
    let rank: Int
    /// Rows are the vectors, ascending.
    private let vectors: Matrix<Double>

    /// - Parameters:
    ///   - gram: AᵀA, of which the upper triangle is read.
    ///   - cutoff: below this share of the largest, singular values are taken as 0.
    init(ofGram gram: Matrix<Double>, cutoff: Double = 1e-6) throws(LinearAlgebraError) {
        let (squares, vectors) = try gram.symmetricEigen()
        let all = squares.reversed().map { max($0, 0).squareRoot() }
        let least = cutoff * (all.first ?? 0)
        values = all.map { $0 > least ? $0 : 0 }
        rank = values.count { $0 > 0 }
        self.vectors = vectors
    }

    /// The leading vectors as columns, each times a factor of its value; those without a value are zero.
    func leading(_ count: Int, times factor: (Double) -> Double = { _ in 1 }) -> Matrix<Double> {
        let n = vectors.rows
        let factors = values.prefix(count).map { $0 > 0 ? factor($0) : 0 }
        var elements: [Double] = []
        elements.reserveCapacity(n * factors.count)
        vectors.elements.withUnsafeBufferPointer { vectors in
            for row in 0..<n {
                for (place, factor) in factors.enumerated() {
                    elements.append(factor * vectors[(n - 1 - place) * n + row])
                }
            }
        }
        return Matrix(rows: n, columns: factors.count, elements: elements)
    }

    /// V·diag(f(σ))·Vᵀ over what is more than rounding.
    func function(_ f: (Double) -> Double) -> Matrix<Double> {
        leading(rank, times: f) * leading(rank).transposed
    }

    /// The inverse square root of a Gram matrix over its range, that makes columns orthonormal: X·(XᵀX)^(-1/2) is the orthogonal factor of X.
    /// Directions in which columns agree to 10⁻⁴ are taken as one: f32 does not tell them apart.
    static func whitening(_ gram: Matrix<Double>) throws(LinearAlgebraError) -> Matrix<Double> {
        try Spectrum(ofGram: gram, cutoff: 1e-4).function { 1 / $0 }
    }
}
