import Architectures
import Checkpoints

/// Merges models of one architecture, streamed by the same plan and writer as a protection.
///
/// Values are computed in f32 and rounded once to the type of the base, or of the first model where there is none; that one's other files
/// go along.
public struct Merger: Sendable {
    public struct Model: Sendable {
        public let checkpoint: Checkpoint
        public let weight: Double

        public init(_ checkpoint: Checkpoint, weight: Double) { (self.checkpoint, self.weight) = (checkpoint, weight) }
    }

    private let method: MergeMethod
    private let values: [String: Double]
    private let writer: CheckpointWriter

    /// - Parameter values: of the method's parameters; the others have their defaults.
    /// - Throws: `MergeError` for a parameter that the method does not take.
    public init(
        _ method: MergeMethod, values: [String: Double] = [:], writer: CheckpointWriter = CheckpointWriter()
    ) throws(MergeError) {
        for (name, value) in values {
            guard let parameter = method.parameters.first(where: { $0.name == name }) else {
                throw .unknownParameter(name, method: method.name, known: method.parameters.map(\.name))
            }
            guard parameter.range.contains(value) else { throw .parameterOutOfRange(name, value, parameter.range) }
        }
        self.method = method
        self.values = Dictionary(method.parameters.map { ($0.name, $0.standard) }) { $1 }.merging(values) { $1 }
        self.writer = writer
    }

    /// Writes the merged model to a new directory.
    /// - Throws: `MergeError`, `ArchitectureError` or `CheckpointError`; nothing is left behind.
    public func merge(_ models: [Model], base: Checkpoint? = nil, to path: String) throws {
        guard let first = base ?? models.first?.checkpoint, !models.isEmpty else { throw MergeError.noModels }
        if method.needsBase, base == nil { throw MergeError.missingBase(method: method.name) }
        if let odd = models.first(where: { !$0.weight.isFinite }) {
            throw MergeError.invalidWeight(path: odd.checkpoint.path, odd.weight)
        }
        try first.checkFitForCopy(resharded: false)
        for model in models { try Self.check(model.checkpoint, against: first) }
        if let base { try Self.check(base, against: first) }
        let plan = try OutputPlan.keepingShards(of: first, dropping: [Checkpoint.manifestName]).making { tensor in
            guard tensor.type.isComputable else {
                try Self.checkConstants(tensor, models.map(\.checkpoint), first)
                return nil
            }
            return MergeProducer(
                tensor, method: method, values: values, models: models, base: method.needsBase ? base : nil)
        }
        try writer.write(plan, to: path)
    }

    /// Every tensor of one is one of the other, of its shape.
    private static func check(_ model: Checkpoint, against first: Checkpoint) throws {
        guard model !== first else { return }
        let (found, expected) = (try Architecture.resolve(model).modelType, try Architecture.resolve(first).modelType)
        guard found == expected else {
            throw MergeError.otherArchitecture(path: model.path, found: found, first: first.path, expected: expected)
        }
        for tensor in first.tensors.values {
            guard let own = model.tensors[tensor.name] else {
                throw MergeError.missingTensor(path: model.path, tensor: tensor.name, first: first.path)
            }
            guard own.shape == tensor.shape, own.type.isComputable == tensor.type.isComputable else {
                throw MergeError.otherShape(
                    path: model.path, tensor: tensor.name, found: own.shape, first: first.path, expected: tensor.shape)
            }
        }
        if let extra = model.tensors.keys.first(where: { first.tensors[$0] == nil }) {
            throw MergeError.missingTensor(path: first.path, tensor: extra, first: model.path)
        }
    }

    private static func checkConstants(_ tensor: TensorSpec, _ models: [Checkpoint], _ first: Checkpoint) throws {
        func bytes(_ checkpoint: Checkpoint) -> UnsafeRawBufferPointer? {
            checkpoint.tensors[tensor.name].map { checkpoint.bytes(of: $0) }
        }
        for model in models {
            guard let own = bytes(model), let other = bytes(first), own.elementsEqual(other) else {
                throw MergeError.otherConstants(path: model.path, tensor: tensor.name, first: first.path)
            }
        }
    }
}
