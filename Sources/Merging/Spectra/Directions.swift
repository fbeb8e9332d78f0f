import LinearAlgebra

/// Singular directions of several matrices side by side: u σ vᵀ each.
struct Directions {
    private let tasks: TaskMatrices
    /// Columns are the left vectors.
    private let left: SharedMatrix<Float>
    private let right: SharedMatrix<Double>
    private(set) var values: [Double] = []

    /// - Parameter count: of directions that there will be.
    init(_ tasks: TaskMatrices, count: Int) {
        self.tasks = tasks
        left = SharedMatrix(rows: max(tasks.rows, tasks.columns), columns: count)
        right = SharedMatrix(rows: tasks.rankLimit, columns: count)
    }

    /// Adds the leading directions of a matrix; those without a singular value are zero.
    mutating func add(_ spectrum: Spectrum, _ count: Int, of matrix: SharedMatrix<Float>) throws {
        let start = values.count
        try tasks.work.write(matrix, times: spectrum.leading(count) { 1 / $0 }, into: left, from: start)
        right.write(spectrum.leading(count), from: start)
        values += spectrum.values.prefix(count)
    }

    /// U⊥·diag(f(σ))·V⊥ᵀ in the tensor's own shape, U⊥ and V⊥ being the orthogonal factors of both sides: of all orthonormal columns the nearest.
    func whitened(_ f: (Double) -> Double) throws -> SharedMatrix<Float> {
        let right = right.matrix
        let (u, v) = (
            try Spectrum.whitening(tasks.work.gram(left)), try Spectrum.whitening(right.transposed * right)
        )
        let factors = values.map(f)
        let scaled = Matrix(
            rows: v.rows, columns: v.columns,
            elements: v.elements.enumerated().map { factors[$0.offset / max(v.columns, 1)] * $0.element })
        return try tasks.work.product(left, (u * scaled) * right.transposed, transposing: tasks.isWide)
    }
}
