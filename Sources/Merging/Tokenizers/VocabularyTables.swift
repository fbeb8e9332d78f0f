import Architectures
import Checkpoints

/// Which tensors of a model count tokens.
enum VocabularyTables {
    private static let dimension = "vocab"

    /// How many tokens its tables have rows for, those without a token among them.
    static func size(of model: Checkpoint) throws -> Int {
        guard let size = try Architecture.resolve(model).dimensions[dimension] else {
            throw MergeError.noVocabulary(path: model.path)
        }
        return size
    }

    /// The axis of each of them, by the tensors' names.
    static func axes(of model: Checkpoint) throws -> [String: Int] {
        let size = try size(of: model)
        var axes: [String: Int] = [:]
        for (name, role) in try Architecture.resolve(model).roles {
            guard let tensor = model.tensors[name], let axis = axis(of: tensor, role), tensor.shape[axis] == size
            else { continue }
            axes[name] = axis
        }
        guard !axes.isEmpty else { throw MergeError.noVocabulary(path: model.path) }
        return axes
    }

    /// Biases of a head may have an axis of 1 in front. Layers that predict further tokens may have tables of their own.
    private static func axis(of tensor: TensorRecord, _ role: Architecture.TensorRole) -> Int? {
        switch role.name {
        case "token_embedding", "head": tensor.shape.count == 2 ? 0 : nil
        case "head_bias": tensor.shape.dropLast().allSatisfy { $0 == 1 } ? tensor.shape.indices.last : nil
        case "prediction_layer":
            tensor.shape.count == 2 && ["embed_tokens.", "head."].contains { tensor.name.contains($0) } ? 0 : nil
        default: nil
        }
    }
}
