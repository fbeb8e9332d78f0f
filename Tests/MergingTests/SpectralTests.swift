import Checkpoints
import Merging
import TestSupport
import Testing

/// Methods of singular values, against their definitions with an SVD of the test's own.
@Suite struct SpectralTests {
    private static let data: [(InventedModels.Values, ElementType)] = [(.steps, .bf16), (.smooth, .f32)]
    private static let weights = [1, 0.5, -0.75]

    private static func invented(_ data: (InventedModels.Values, ElementType)) throws -> InventedModels {
        try InventedModels(3, data.0, data.1, shapes: InventedModels.layered)
    }

    /// Task vectors times their weights, where they are matrices of layers.
    private static func matrices(
        _ tensor: String, _ shape: [Int], _ vectors: [[Double]], _ weights: [Double]
    ) -> [NaiveMatrix]? {
        guard tensor.hasPrefix("layers."), shape.count == 2, shape.allSatisfy({ $0 > 1 }) else { return nil }
        return zip(vectors, weights).map { vector, weight in
            NaiveMatrix(shape[0], shape[1], vector.map { weight * $0 })
        }
    }

    private static func average(_ vectors: [[Double]], _ weights: [Double], _ lambda: Double) -> [Double] {
        let sum = weights.reduce(0, +)
        return vectors[0].indices.map { i in
            lambda * zip(vectors, weights).reduce(0) { $0 + $1.0[i] * $1.1 } / (sum == 0 ? 3 : sum)
        }
    }

    private static func sum(_ matrices: [NaiveMatrix]) -> NaiveMatrix {
        matrices.dropFirst().reduce(matrices[0]) { $0 + $1 }
    }

    // MARK: Iso

    @Test(arguments: data, [[1, 1, 1], weights, [1, -1, 0]])
    func isoCIsItsDefinition(data: (InventedModels.Values, ElementType), weights: [Double]) throws {
        let invented = try Self.invented(data)
        let found = try invented.merged(.isoC, own: weights.map { ["weight": $0] }, shared: ["lambda": 0.75])
        try invented.expect(found) { tensor, shape, vectors in
            guard let matrices = Self.matrices(tensor, shape, vectors, weights) else {
                return Self.average(vectors, weights, 0.75)
            }
            let (u, s, v) = Self.sum(matrices).svd()
            let mean = s.reduce(0, +) / Double(s.count)
            return (u * v.transposed).values.map { 0.75 * mean * $0 }
        }
    }

    @Test(arguments: data, [0, 0.5, 0.8, 1])
    func isoCTSIsItsDefinition(data: (InventedModels.Values, ElementType), fraction: Double) throws {
        let invented = try Self.invented(data)
        let found = try invented.merged(
            .isoCTS, own: Self.weights.map { ["weight": $0] },
            shared: ["common_space_fraction": fraction, "lambda": 0.5])
        try invented.expect(found, tolerance: 4e-6) { tensor, shape, vectors in
            guard let matrices = Self.matrices(tensor, shape, vectors, Self.weights) else {
                return Self.average(vectors, Self.weights, 0.5)
            }
            let limit = try #require(shape.min())
            let rest = limit - Int(Double(limit) * fraction)
            let own = min(Int((Double(rest) / 3).rounded(.toNearestOrEven)), limit / 3)
            let common = limit - 3 * own
            let (u, s, v) = Self.sum(matrices).svd()
            let shared = u.columns(0..<common)
            var (left, right, values) = ([NaiveMatrix](), [NaiveMatrix](), [Double]())
            for matrix in matrices {
                let (u, s, v) = (matrix - shared * (shared.transposed * matrix)).svd()
                left.append(u.columns(0..<own))
                right.append(v.columns(0..<own))
                values += s.prefix(own)
            }
            left.append(shared)
            right.append(v.columns(0..<common))
            values += s.prefix(common)
            let mean = values.reduce(0, +) / Double(limit)
            let result =
                NaiveMatrix.beside(left).orthogonalFactor * NaiveMatrix.beside(right).orthogonalFactor.transposed
            return result.values.map { 0.5 * mean * $0 }
        }
    }

    // MARK: Task singular vectors

    @Test(arguments: data, [[1, 1, 1], weights, [1, 0, 0]])
    func tsvMIsItsDefinition(data: (InventedModels.Values, ElementType), weights: [Double]) throws {
        let invented = try Self.invented(data)
        let found = try invented.merged(.tsvM, own: weights.map { ["weight": $0] }, shared: ["lambda": 0.75])
        try invented.expect(found, tolerance: 4e-6) { tensor, shape, vectors in
            guard let matrices = Self.matrices(tensor, shape, vectors, weights) else {
                return Self.average(vectors, weights, 0.75)
            }
            let own = try #require(shape.min()) / 3
            let parts = matrices.map { $0.svd() }
            let left = NaiveMatrix.beside(parts.map { $0.u.columns(0..<own) }).orthogonalFactor
            let right = NaiveMatrix.beside(parts.map { $0.v.columns(0..<own) }).orthogonalFactor
            let values = NaiveMatrix.diagonal(parts.flatMap { $0.s.prefix(own) })
            return (left * values * right.transposed).values.map { 0.75 * $0 }
        }
    }

    // MARK: KnOTS

    @Test(arguments: data, [1, 0.5, 0.2, 0])
    func knOTSIsItsDefinition(data: (InventedModels.Values, ElementType), density: Double) throws {
        for normalizes in [true, false] {
            let invented = try Self.invented(data)
            let settings = Self.weights.map { ["weight": $0, "density": density] }
            let found = try invented.merged(
                .knOTS, own: settings, shared: ["lambda": 0.5, "normalize": normalizes ? 1 : 0])
            func ties(_ vectors: [[Double]]) -> [Double] {
                let sparse = vectors.map { vector in
                    let count = density > 0 ? max(1, Int(density * Double(vector.count))) : 0
                    let kept = Set(
                        vector.indices.sorted { (-vector[$0].magnitude, $0) < (-vector[$1].magnitude, $1) }
                            .prefix(count))
                    return vector.indices.map { kept.contains($0) ? vector[$0] : 0 }
                }
                return vectors[0].indices.map { i in
                    let votes = zip(sparse, Self.weights).map { ($0[i] * $1, $1) }
                    let sum = votes.reduce(0) { $0 + $1.0 }
                    let agreeing = votes.filter { sum >= 0 ? $0.0 > 0 : $0.0 < 0 }
                    let divisor = agreeing.reduce(0) { $0 + $1.1 }
                    let scale = normalizes && divisor.magnitude >= 1e-8 ? divisor : 1
                    return agreeing.reduce(0) { $0 + $1.0 } / scale
                }
            }
            try invented.expect(found, tolerance: 1e-5) { tensor, shape, vectors in
                guard let matrices = Self.matrices(tensor, shape, vectors, [1, 1, 1]) else {
                    return ties(vectors).map { 0.5 * $0 }
                }
                let (u, s, v) = NaiveMatrix.beside(matrices).svd()
                let parts = (0..<3).map { model in
                    NaiveMatrix(
                        shape[1], s.count,
                        Array(v.values[model * shape[1] * s.count..<(model + 1) * shape[1] * s.count]))
                }
                let merged = NaiveMatrix(shape[1], s.count, ties(parts.map(\.values)))
                return (u * NaiveMatrix.diagonal(s) * merged.transposed).values.map { 0.5 * $0 }
            }
        }
    }

    // MARK: What defines the results

    private static let methods: [MergeMethod] = [.isoC, .isoCTS, .tsvM, .knOTS]

    /// Matrices of several tiles: all singular values are alike, and the sum turned back by the result is symmetric and positive.
    @Test(arguments: [[270, 70], [70, 290]]) func largeMatricesBecomeIsotropic(shape: [Int]) throws {
        let invented = try InventedModels(2, shapes: ["layers.0.large": shape])
        let found = try invented.merged(.isoC)
        let base = try #require(invented.base["layers.0.large"])
        let change = NaiveMatrix(shape[0], shape[1], zip(try #require(found["layers.0.large"]), base).map { $0 - $1 })
        let sum = Self.sum(try invented.taskVectors("layers.0.large").map { NaiveMatrix(shape[0], shape[1], $0) })
        let (tall, own) = shape[0] > shape[1] ? (change, sum) : (change.transposed, sum.transposed)
        let (gram, turned) = (tall.transposed * tall, tall.transposed * own)
        let n = tall.columns
        let square = (0..<n).reduce(0) { $0 + gram[$1, $1] } / Double(n)
        for i in 0..<n {
            for j in 0..<n {
                #expect((gram[i, j] - (i == j ? square : 0)).magnitude < 1e-5 * square)
                #expect((turned[i, j] - turned[j, i]).magnitude < 1e-4 * square)
            }
        }
        // ⟨result, sum⟩ = mean(σ) · Σσ = n · mean(σ)², of results that are no larger the largest there is.
        let trace = (0..<n).reduce(0) { $0 + turned[$1, $1] }
        #expect((trace / (Double(n) * square) - 1).magnitude < 1e-5)
    }

    /// Of one model, what all methods but the isotropic ones make is the model.
    @Test(arguments: ["tsv_m", "knots"]) func oneModelIsItself(name: String) throws {
        let method = try #require(Self.methods.first { $0.name == name })
        let invented = try InventedModels(1, shapes: InventedModels.layered)
        try invented.expect(try invented.merged(method)) { _, _, vectors in vectors[0] }
    }

    /// Directions that models have in common count once: of two that are alike the leading half is left.
    @Test func directionsInCommonCountOnce() throws {
        let invented = try InventedModels(1, shapes: InventedModels.layered)
        let twice = invented.doubled()
        try twice.expect(try twice.merged(.tsvM)) { tensor, shape, vectors in
            guard let matrix = Self.matrices(tensor, shape, vectors, [1, 1])?[0] else {
                return Self.average(vectors, [1, 1], 1)
            }
            let (u, s, v) = matrix.svd()
            let half = 0..<s.count / 2
            let values = NaiveMatrix.diagonal(Array(s[half]))
            return (u.columns(half) * values * v.columns(half).transposed).values
        }
    }

    @Test(arguments: methods.map(\.name)) func alikeModelsStay(name: String) throws {
        let method = try #require(Self.methods.first { $0.name == name })
        let invented = try InventedModels(2, distance: 0, shapes: InventedModels.layered)
        #expect(try invented.merged(method) == invented.base)
    }
}
