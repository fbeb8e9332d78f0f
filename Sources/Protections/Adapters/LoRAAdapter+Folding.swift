import Checkpoints
import LinearAlgebra

extension LoRAAdapter {
    /// How the model's weights change when the adapter goes into them.
    func changes() throws -> [String: any TensorChange] {
        guard let scale else { throw AdapterError.scaledByPatterns(path: path) }
        return Dictionary(
            uniqueKeysWithValues: pairs.map { pair in
                let (a, b) = (matrix(pair.a), matrix(pair.b))
                // Row i of what is stored is Σ_k left[i, k]·right[k, :].
                let factors = isTransposed ? (a.transposed, b.transposed) : (b, a)
                return (pair.tensor.name, Product(scale: scale, left: factors.0, right: factors.1))
            })
    }

    private func matrix(_ tensor: TensorRecord) -> Matrix<Double> {
        Matrix(
            rows: tensor.shape[0], columns: tensor.shape[1],
            elements: tensor.type.doubles(in: weights.bytes(of: tensor))
        )
    }

    private struct Product: TensorChange {
        let scale: Double
        let left, right: Matrix<Double>

        func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?) {
            let columns = right.columns
            var place = 0
            while place < values.count {
                let (row, column) = ((start + place) / columns, (start + place) % columns)
                let count = min(columns - column, values.count - place)
                for inner in 0..<right.rows {
                    let factor = scale * left[row, inner]
                    let from = inner * columns + column
                    right.elements.withUnsafeBufferPointer { right in
                        for step in 0..<count { values[place + step] += factor * right[from + step] }
                    }
                }
                place += count
            }
        }
    }
}
