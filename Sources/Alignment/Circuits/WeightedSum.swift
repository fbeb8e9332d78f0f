import Checkpoints

/// `Σ w_i θ_i` of models that lie in one place: tensors are made when they are asked for.
final class WeightedSum: TensorSource {
    /// Values that are widened at once.
    private static let run = 1 << 16
    private let models: [(checkpoint: Checkpoint, weight: Double)]
    private let known: TensorMemory?

    /// - Parameters:
    ///   - models: the first one's tensors are made; those that another does not have stay.
    ///   - known: tensors that are something else.
    init(_ models: [(checkpoint: Checkpoint, weight: Double)], but known: TensorMemory? = nil) {
        (self.models, self.known) = (models, known)
    }

    var others: [Checkpoint] { models.map(\.checkpoint) }

    func makes(_ name: String) -> Bool {
        guard let own = models.first?.checkpoint.tensors[name], own.type.isComputable else { return false }
        return models.allSatisfy { model in
            model.checkpoint.tensors[name].map { $0.shape == own.shape && $0.type.isComputable } ?? false
        }
    }

    func fill(_ tensor: TensorRecord, _ output: UnsafeMutableRawBufferPointer) {
        guard let target = output.baseAddress else { return }
        if let known = known?.bytes(ofTensor: tensor.name) {
            output.copyMemory(from: UnsafeRawBufferPointer(known))
            return
        }
        let parts = models.compactMap { model in
            model.checkpoint.tensors[tensor.name].map { ($0.type, model.checkpoint.content(of: $0), model.weight) }
        }
        defer { withExtendedLifetime(parts) {} }
        let count = tensor.shape.reduce(1, *)
        var (sum, values) = ([Double](repeating: 0, count: Self.run), [Double](repeating: 0, count: Self.run))
        for start in stride(from: 0, to: count, by: Self.run) {
            let length = min(Self.run, count - start)
            for place in 0..<length { sum[place] = 0 }
            for (type, content, weight) in parts {
                guard let source = content.bytes.baseAddress else { continue }
                values.withUnsafeMutableBufferPointer { buffer in
                    guard let values = buffer.baseAddress else { return }
                    type.widen(source + start * type.bitWidth / 8, into: values, length)
                }
                for place in 0..<length { sum[place] += weight * values[place] }
            }
            sum.withUnsafeBufferPointer { buffer in
                guard let sum = buffer.baseAddress else { return }
                tensor.type.narrow(sum, into: target + start * tensor.type.bitWidth / 8, length)
            }
        }
    }
}
