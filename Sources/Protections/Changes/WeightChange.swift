import Architectures
import Checkpoints
import ForwardPass
import LinearAlgebra
import Symmetries

/// What a method does to weights before any element acts. It costs the model something, and nothing undoes it.
public protocol WeightChange: Sendable {
    var needsBase: Bool { get }
    /// Whether it looks at activations.
    var needsInputs: Bool { get }

    /// Those that may change.
    func tensors(_ context: ChangeContext) -> [TensorRecord]

    /// - Returns: by the names of the tensors that change, how.
    func plan(_ context: ChangeContext) throws -> [String: any TensorChange]
}

extension WeightChange {
    public var needsInputs: Bool { false }

    /// Those of a model that may change where the user says nothing of layers.
    package func tensors(
        of model: Checkpoint, _ architecture: Architecture, _ method: ProtectionMethod
    ) -> [TensorRecord] {
        let step = ProtectionStep(method: method, sampler: method.defaultSampler, condition: 1)
        return tensors(
            ChangeContext(
                model: model, base: nil, architecture: architecture, step: step, inputs: nil, threads: nil, scratch: ""
            ) { KeyedRandomStream(secret: [], info: $0) })
    }
}

/// How the values of one tensor change.
public protocol TensorChange: Sendable {
    /// Changes a run of a tensor's values in row-major order, each in f64.
    ///
    /// - Parameters:
    ///   - start: of the run in the tensor.
    ///   - base: the same values of the base; nil where there is none.
    func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?)
}

/// What a change is planned from.
public struct ChangeContext: Sendable {
    /// The model, with the changes that come before.
    public let model: Checkpoint
    public let base: Checkpoint?
    public let architecture: Architecture
    public let step: ProtectionStep
    /// What activations are taken on.
    public let inputs: ModelInputs?
    public let threads: Int?
    /// A directory for what takes more than memory.
    let scratch: String
    /// A random stream of the protection's key for each name.
    let stream: @Sendable (_ name: String) -> KeyedRandomStream

    /// The matrices that some kinds of sites act on in the layers of the step, whichever of them the step's elements move.
    func matrices(at kinds: Set<Site.Kind>) -> [TensorRecord] {
        let names = architecture.allSites
            .filter { kinds.contains($0.kind) && $0.isInside(step.layers.map(Set.init)) }
            .flatMap { $0.slices.map(\.tensor) }
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }.compactMap { model.tensors[$0] }
            .filter { $0.shape.count > 1 && $0.type.isComputable && $0.elementCount > 0 }
    }

    func parameter(_ parameter: MethodParameter) -> Double { step.parameters[parameter] ?? parameter.standard ?? 0 }
}
