import CKernels
import Foundations
import LinearAlgebra

/// The task vectors of a matrix, as matrices of at least as many rows as columns: transposed where there are fewer.
struct TaskMatrices: Sendable {
    let tensor: MergeTensor
    let work: MatrixWork
    let weights: [Double]

    /// Nil for what is no matrix of a layer: other than two axes, one of them of a single index, or in no layer, as embeddings and heads are.
    ///
    /// - Parameter unweighted: whether weights are left for later.
    init?(_ tensor: MergeTensor, unweighted: Bool = false) {
        guard tensor.shape.count == 2, tensor.shape.allSatisfy({ $0 > 1 }), LayerName(tensor.name) != nil else {
            return nil
        }
        (self.tensor, weights) = (tensor, tensor.values("weight").map { unweighted ? 1 : $0 })
        work = MatrixWork(threads: tensor.threads)
    }

    var count: Int { weights.count }
    var rows: Int { tensor.shape[0] }
    var columns: Int { tensor.shape[1] }
    var isWide: Bool { rows < columns }
    /// How many singular values there are.
    var rankLimit: Int { min(rows, columns) }

    /// w_i τ_i, so that there are no fewer rows than columns.
    func tall(_ model: Int) throws -> SharedMatrix<Float> { try matrix([model], transposed: isWide) }
    /// Σ w_i τ_i, so that there are no fewer rows than columns.
    func tallSum() throws -> SharedMatrix<Float> { try matrix(Array(0..<count), transposed: isWide) }

    func matrix(_ models: [Int], transposed: Bool) throws -> SharedMatrix<Float> {
        let (rows, columns, weights) = (rows, columns, weights.map(Float.init))
        let result = SharedMatrix<Float>(
            rows: transposed ? columns : rows, columns: transposed ? rows : columns)
        _ = try tensor.scan(.rows) { tile in
            guard let base = tile.base else { return }
            tile.output.update(repeating: 0, count: tile.count)
            for model in models {
                mp_add_difference_f32(tile.output, tile.models[model], base, tile.count, weights[model])
            }
            guard transposed else {
                (result.values + tile.places.lowerBound).update(from: tile.output, count: tile.count)
                return
            }
            let first = tile.places.lowerBound / columns
            for column in 0..<columns {
                let line = result.row(column) + first
                for row in 0..<tile.count / columns { line[row] = tile.output[row * columns + column] }
            }
        }
        return result
    }

    /// The base plus λ times what `body` makes of the task vectors, in the tensor's own shape.
    func kernel(_ body: () throws -> SharedMatrix<Float>) throws -> MergeKernel {
        let lambda = Float(tensor["lambda"])
        let change = try MatrixWork.inTurn(tensor.count, body)
        return { tile in
            guard let base = tile.base else { return }
            tile.output.update(from: base, count: tile.count)
            mp_add_f32(tile.output, change.values + tile.places.lowerBound, tile.count, lambda)
        }
    }
}

extension MergeTensor {
    /// θ₀ + λ Σ w_i τ_i / Σ w_i, of what is no matrix; over their count where weights cancel.
    var averaged: MergeKernel {
        let weights = values("weight")
        let sum = weights.reduce(0, +)
        let divisor = sum.magnitude < 1e-8 ? Double(max(weights.count, 1)) : sum
        return Combination(ofTaskVectors: weights.map { $0 / divisor * self["lambda"] }).kernel
    }
}

extension MergeMethod.Parameter {
    /// What methods of spectra take: a factor of each task vector, and one of all.
    static let spectral: [MergeMethod.Parameter] = [
        .number("weight", 1, in: -1e9...1e9, .model), .number("lambda", 1, in: -1e9...1e9),
    ]
}
