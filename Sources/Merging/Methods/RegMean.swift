import Foundations
import LinearAlgebra

extension MergeMethod {
    /// RegMean (arXiv 2212.09849): the linear map whose outputs are nearest to those of all models, each on its own inputs X_i:
    /// `Wᵀ = (Σ w_i G_i)⁻¹ Σ w_i G_i W_iᵀ`, `G_i = X_iᵀ·X_i / n_i` with entries off the diagonal times `reduce_non_diag`.
    ///
    /// Of the matrices of layers that read the same inputs for every position: attention, MLPs, shared experts. All else is the mean by the weights. G_i
    /// comes from a forward pass over the model's own calibration data, in f32 in files without a name beside the output; the equations
    /// are solved in f64 for what sets W_i apart from the first model, so that models that are alike stay. Channels that no input reaches are averaged.
    public static let regMean = MergeMethod(
        name: "regmean",
        summary:
            "linear maps nearest to the models' on their own inputs: (Σ w_i G_i)⁻¹ Σ w_i G_i W_iᵀ, G = XᵀX; all else averaged",
        reference: "2212.09849", base: .optional,
        parameters: [
            .number("weight", 1, in: 0...1e9, .model), .number("reduce_non_diag", 0.95, in: 0...1),
        ],
        evidence: .calibration
    ) { tensor in
        let grams = tensor.grams.compactMap(\.self)
        guard tensor.shape.count == 2, grams.count == tensor.modelCount, let first = grams.first,
            tensor.shape[first.isTransposed ? 0 : 1] == first.dimension,
            grams.allSatisfy({ $0.dimension == first.dimension })
        else { return tensor.mean }
        let size = max(tensor.count, first.dimension * first.dimension)
        let merged = try MatrixWork.inTurn(size) { try Regression(tensor, grams).merged() }
        return { tile in
            tile.output.update(from: merged.values + tile.places.lowerBound, count: tile.count)
        }
    }
}

extension MergeTensor {
    /// Σ w_i θ_i / Σ w_i, of all models where all weights are 0.
    fileprivate var mean: MergeKernel {
        let weights = values("weight")
        let sum = weights.reduce(0, +)
        return Combination(weights.map { sum > 0 ? $0 / sum : 1 / Double(modelCount) }).kernel
    }
}

/// The normal equations of one linear map.
private struct Regression {
    /// Outputs that are solved for at once.
    private static let width = 64
    private let tensor: MergeTensor
    private let isTransposed: Bool
    /// Of the sum of the Gram matrices, rows and columns times scales that make its diagonal 1: whether it is singular is then no matter of how large channels are.
    private let factors: LUFactors<Double>
    private let scales: [Double]
    /// w_i G_i.
    private let grams: [Matrix<Double>]
    private let work: MatrixWork

    init(_ tensor: MergeTensor, _ grams: [InputGram]) throws {
        (self.tensor, isTransposed) = (tensor, grams.contains(where: \.isTransposed))
        work = MatrixWork(threads: tensor.threads)
        var weights = tensor.values("weight")
        if weights.allSatisfy({ $0 == 0 }) { weights = weights.map { _ in 1 } }
        let share = tensor["reduce_non_diag"]
        var all = zip(grams, weights).map { $0.mean(weight: $1, offDiagonal: share).elements }
        let n = grams.first?.dimension ?? 0
        // Nothing reaches a channel whose diagonal entry vanishes: its row and column do, too.
        for place in (0..<n).map({ $0 * (n + 1) }) where all.allSatisfy({ $0[place] <= 0 }) {
            for model in all.indices { all[model][place] = weights[model] }
        }
        self.grams = all.map { Matrix(rows: n, columns: n, elements: $0) }
        let sum = SharedMatrix<Double>(rows: n, columns: n)
        for gram in all { gram.withUnsafeBufferPointer { for place in 0..<n * n { sum.values[place] += $0[place] } } }
        let scales = (0..<n).map { 1 / sum.row($0)[$0].squareRoot() }
        for row in 0..<n { for column in 0..<n { sum.row(row)[column] *= scales[row] * scales[column] } }
        self.scales = scales
        do {
            factors = try sum.matrix.lu()
        } catch { throw MergeError.undetermined(tensor: tensor.name) }
        // Gram matrices are known to the rounding of f32.
        guard try factors.reciprocalConditionEstimate() > 1e-6 else {
            throw MergeError.undetermined(tensor: tensor.name)
        }
    }

    /// In the tensor's own shape.
    func merged() throws -> SharedMatrix<Float> {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        let result = SharedMatrix<Float>(rows: rows, columns: columns)
        let outputs = isTransposed ? columns : rows
        let n = isTransposed ? rows : columns
        let tiles = (outputs + Self.width - 1) / Self.width
        try WorkerThreads.forEach(tiles, threads: tensor.threads) { tile, scratch in
            let range = tile * Self.width..<min((tile + 1) * Self.width, outputs)
            /// Entries (input, output) of a model, or of what sets it apart from the first.
            func values(_ model: Int) -> Matrix<Double> {
                let all = part(model, range, scratch)
                guard model > 0 else { return all }
                return all - part(0, range, scratch)
            }
            var right = Matrix<Double>(rows: n, columns: range.count, repeating: 0)
            for model in 1..<max(grams.count, 1) { right = right + grams[model] * values(model) }
            let solved = scaled(try factors.solve(scaled(right))) + values(0)
            for input in 0..<n {
                for (place, output) in range.enumerated() {
                    let value = Float(solved.elements[input * range.count + place])
                    result.values[isTransposed ? input * columns + output : output * columns + input] = value
                }
            }
        }
        return result
    }

    private func scaled(_ matrix: Matrix<Double>) -> Matrix<Double> {
        Matrix(
            rows: matrix.rows, columns: matrix.columns,
            elements: matrix.elements.enumerated().map { scales[$0.offset / matrix.columns] * $0.element })
    }

    /// Inputs x outputs of a model, for some outputs.
    private func part(_ model: Int, _ range: Range<Int>, _ scratch: WorkerScratch) -> Matrix<Double> {
        let (input, columns) = (tensor.inputs[model], tensor.shape[1])
        let n = isTransposed ? tensor.shape[0] : columns
        let buffer = scratch.buffer(0, of: Float.self, count: n * range.count)
        if isTransposed {
            for row in 0..<n {
                let start = row * columns + range.lowerBound
                input.widen(start..<start + range.count, into: buffer + row * range.count)
            }
        } else {
            input.widen(range.lowerBound * columns..<range.upperBound * columns, into: buffer)
        }
        let isTransposed = isTransposed
        return Matrix(
            rows: n, columns: range.count,
            elements: (0..<n * range.count).map { place in
                isTransposed
                    ? Double(buffer[place])
                    : Double(buffer[place % range.count * n + place / range.count])
            })
    }
}

extension Matrix<Double> {
    static func + (a: Matrix, b: Matrix) -> Matrix {
        Matrix(rows: a.rows, columns: a.columns, elements: zip(a.elements, b.elements).map { $0 + $1 })
    }
}
