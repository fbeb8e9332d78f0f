import Checkpoints
import ForwardPass
import Foundations

/// What the models of a merge come with beside their weights: the Fisher information of these, or what their linear maps read of given inputs.
struct MergeEvidence {
    /// By model.
    private var importance: [String: Checkpoint] = [:]
    private var grams: [String: [String: InputGram]] = [:]

    /// - Parameter folder: where Gram matrices are put down while they are needed.
    /// - Throws: `MergeError` where a model has none of what the method needs.
    init(of configuration: MergeConfiguration, models: [String: Checkpoint], folder: String, threads: Int) throws {
        let method = configuration.method
        guard method.evidence != .none else { return }
        for slice in configuration.modules.flatMap(\.slices) {
            for source in slice.sources where source.model != slice.base ?? configuration.base {
                guard importance[source.model] == nil, grams[source.model] == nil else { continue }
                guard let model = models[source.model] else { throw MergeError.noModels }
                guard let path = source.evidence else {
                    throw MergeError.missingEvidence(
                        model: source.model, method: method.name, evidence: method.evidence)
                }
                switch method.evidence {
                case .none: return
                case .fisher: importance[source.model] = try Checkpoint(opening: path)
                case .calibration:
                    grams[source.model] = try InputGram.collect(model, on: path, folder: folder, threads: threads)
                }
            }
        }
    }

    /// The Fisher information of a tensor; nil where the method needs none.
    func importance(of input: MergeInput, in model: String) throws(MergeError) -> MergeInput? {
        guard let file = importance[model] else { return nil }
        guard input.rows == nil else { throw .fisherOfOtherRows(path: file.path, tensor: input.tensor.name) }
        guard let tensor = file.tensors[input.tensor.name] else {
            throw .missingFisher(path: file.path, tensor: input.tensor.name, model: input.checkpoint.path)
        }
        guard tensor.type.isComputable, tensor.shape == input.tensor.shape else {
            throw .otherFisherShape(
                path: file.path, tensor: tensor.name, found: tensor.shape, model: input.checkpoint.path,
                expected: input.tensor.shape)
        }
        return MergeInput(checkpoint: file, tensor: tensor)
    }

    /// The Gram matrix of what a tensor's map reads; nil where it is none, or where the method needs none.
    func gram(of input: MergeInput, in model: String) -> InputGram? { grams[model]?[input.tensor.name] }
}
