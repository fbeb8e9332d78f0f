import Checkpoints
import OrderedCollections

/// A family's description resolved against one checkpoint: every tensor has a role, every shape agrees with config.json.
public struct Architecture: Sendable, Equatable {
    /// What a stored tensor is.
    public struct TensorRole: Sendable, Equatable {
        /// Such as `query`, `up`, `norm`, `buffer`; several tensors of a layer may share one.
        public let name: String
        public let layer: Int?
    }

    public let family: String
    public let modelType: String
    public let hiddenSize: Int
    public let layerCount: Int
    /// Named dimensions of the family, in the order of its description.
    public let dimensions: OrderedDictionary<String, Int>
    public let attention: [AttentionBlock]
    public let mlp: [MLPBlock]
    /// Every tensor of the checkpoint, in its order.
    public let roles: OrderedDictionary<String, TensorRole>
    /// The output head is the token embedding.
    public let hasTiedHead: Bool

    /// Families that can be resolved, with their model types.
    public static func supported() throws(ArchitectureError) -> [(family: String, modelTypes: [String])] {
        try ModelDescription.library().map { ($0.family, $0.modelTypes) }
    }

    /// Finds the family by `model_type` and accounts for every tensor.
    public static func resolve(_ checkpoint: Checkpoint) throws(ArchitectureError) -> Architecture {
        let path = checkpoint.path
        guard let config = checkpoint.config?.root else { throw .noConfig(path: path) }
        try Quantization.refuse(config: config, checkpoint: checkpoint)
        guard let modelType = config["model_type"]?.string else { throw .noModelType(path: path) }
        let library = try ModelDescription.library()
        guard let description = library.first(where: { $0.modelTypes.contains(modelType) }) else {
            if let refused = library.flatMap(\.refusedTypes).first(where: { $0.modelType == modelType }) {
                throw .refusedFeature(path: path, key: "model_type", found: "\"\(modelType)\"", reason: refused.reason)
            }
            throw .unknownModelType(path: path, found: modelType, known: library.flatMap(\.modelTypes).sorted())
        }
        let reader = ConfigReader(config: config, description: description, path: path)
        return try Resolver(checkpoint: checkpoint, description: description, reader: reader, modelType: modelType)
            .resolve()
    }
}
