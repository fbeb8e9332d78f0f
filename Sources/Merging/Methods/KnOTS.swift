import CKernels
import LinearAlgebra

extension MergeMethod {
    /// KnOTS (arXiv 2410.19735) with TIES: task vectors side by side have one set of outputs, `[τ_1 … τ_N] = U·diag(σ)·[V_1 … V_N]ᵀ`; their parts V_i are
    /// merged by TIES, `θ₀ + λ·U·diag(σ)·TIES(V_1 … V_N)ᵀ`.
    ///
    /// Of matrices of layers, all task vectors of one being held in memory; all else is merged by TIES itself.
    public static let knOTS = MergeMethod(
        name: "knots",
        summary:
            "matrices of layers: task vectors in one basis of outputs, [τ_1 … τ_N] = U σ [V_1 … V_N]ᵀ, with TIES of the V_i; all else by ties",
        reference: "2410.19735", base: .required,
        parameters: [
            .number("weight", 1, in: -1e9...1e9, .model), .number("density", 1, in: 0...1, .model),
            .flag("normalize", true), .number("lambda", 1, in: -1e9...1e9),
        ]
    ) { tensor in
        guard let tasks = TaskMatrices(tensor, unweighted: true) else {
            return try SparseTaskArithmetic(tensor, .magnitude, .sign).kernel
        }
        return try tasks.kernel {
            let all = try (0..<tasks.count).map { try tasks.matrix([$0], transposed: true) }
            // The Gram matrix of outputs, or of all inputs, whichever is smaller.
            if tasks.rows <= tasks.columns * tasks.count {
                var gram = Matrix<Double>(rows: tasks.rows, columns: tasks.rows, repeating: 0)
                for matrix in all { gram = gram.adding(try tasks.work.gram(matrix)) }
                let spectrum = try Spectrum(ofGram: gram)
                let basis = spectrum.leading(spectrum.rank) { 1 / $0 }
                let merged = Self.elected(try all.map { try tasks.work.product($0, basis) }, tensor)
                let outputs = spectrum.leading(spectrum.rank) { $0 }
                return try tasks.work.product(merged, outputs, rightTransposed: true, transposing: true)
            }
            let beside = SharedMatrix<Float>(rows: tasks.rows, columns: tasks.columns * tasks.count)
            for (model, matrix) in all.enumerated() {
                for column in 0..<tasks.columns {
                    for row in 0..<tasks.rows {
                        beside.row(row)[model * tasks.columns + column] = matrix.row(column)[row]
                    }
                }
            }
            let spectrum = try Spectrum(ofGram: tasks.work.gram(beside))
            let vectors = spectrum.leading(spectrum.rank)
            let parts = (0..<tasks.count).map { model in
                let part = SharedMatrix<Float>(rows: tasks.columns, columns: vectors.columns)
                let size = part.rows * part.columns
                for (place, value) in vectors.elements[model * size..<(model + 1) * size].enumerated() {
                    part.values[place] = Float(value)
                }
                return part
            }
            let outputs = try tasks.work.product(beside, vectors)
            return try tasks.work.product(outputs, Self.elected(parts, tensor).matrix, rightTransposed: true)
        }
    }

    /// TIES of matrices: of each the largest entries, where signs agree with their weighted sum's.
    private static func elected(_ parts: [SharedMatrix<Float>], _ tensor: MergeTensor) -> SharedMatrix<Float> {
        guard let first = parts.first else { return SharedMatrix(rows: 0, columns: 0) }
        let count = first.rows * first.columns
        for (model, part) in parts.enumerated() {
            let density = tensor.value("density", of: model) ?? 1
            guard density < 1, count > 0 else { continue }
            let kept = density > 0 ? max(1, Int(density * Double(count))) : 0
            let cut = MagnitudeCut(largest: kept, of: count) { places, target in
                for (place, index) in places.enumerated() { target[place] = part.values[index].magnitude }
            }
            for place in 0..<count where kept == 0 || !cut.takes(part.values[place].magnitude, at: place) {
                part.values[place] = 0
            }
        }
        let weights = tensor.values("weight").map(Float.init)
        let (zero, result) = (
            SharedMatrix<Float>(rows: first.rows, columns: first.columns),
            SharedMatrix<Float>(rows: first.rows, columns: first.columns)
        )
        let vectors = parts.map { Optional(UnsafePointer($0.values)) }
        mp_elect_f32(
            result.values, zero.values, vectors, weights, weights, weights, parts.count, count,
            tensor[isSet: "normalize"] ? 1 : 0, -.infinity, 1)
        return result
    }
}

extension Matrix<Double> {
    fileprivate func adding(_ other: Matrix<Double>) -> Matrix<Double> {
        Matrix(rows: rows, columns: columns, elements: zip(elements, other.elements).map { $0 + $1 })
    }
}
