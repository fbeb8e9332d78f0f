import Architectures
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Symmetries

/// What a method does to weights before any element acts. It costs the model something, and nothing undoes it.
public protocol WeightChange: Sendable {
    var needsBase: Bool { get }
    /// Whether it looks at activations.
    var needsInputs: Bool { get }
    /// Whether it looks at activations where inputs are given.
    var usesInputs: Bool { get }

    /// Those that may change.
    func tensors(_ context: ChangeContext) -> [TensorRecord]

    /// - Returns: by the names of the tensors that change, how.
    func plan(_ context: ChangeContext) throws -> [String: any TensorChange]
}

extension WeightChange {
    public var needsInputs: Bool { false }
    public var usesInputs: Bool { needsInputs }

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

/// A change that can be tried on any weights, for a forecast of what it takes.
package protocol RehearsedChange: WeightChange {
    /// Plans and changes some of a tensor's bytes; as many others stand for the base.
    /// - Returns: bytes that were changed.
    func rehearse(_ bytes: UnsafeRawBufferPointer, _ type: ElementType) throws -> Int
}

/// How the values of one tensor change.
public protocol TensorChange: Sendable {
    /// Changes a run of a tensor's values in row-major order, each in f64.
    ///
    /// - Parameters:
    ///   - start: of the run in the tensor.
    ///   - base: the same values of the base; nil where there is none.
    func apply(from start: Int, to values: UnsafeMutableBufferPointer<Double>, base: UnsafePointer<Double>?)

    /// The same from stored values to stored values: widens, applies and rounds once, unless a change knows a shorter way.
    func rewrite(_ run: StoredRun, _ scratch: WorkerScratch)
}

/// Some of a tensor's values as they are stored, and where what becomes of them is to be stored.
public struct StoredRun {
    public let type: ElementType
    /// Where it begins in the tensor.
    public let start: Int
    public let count: Int
    /// Not aligned; may be the target.
    public let own: UnsafeRawPointer
    public let base: UnsafeRawPointer?
    public let target: UnsafeMutableRawPointer
}

extension TensorChange {
    public func rewrite(_ run: StoredRun, _ scratch: WorkerScratch) {
        let values = scratch.buffer(0, of: Double.self, count: run.count)
        run.type.widen(run.own, into: values, run.count)
        let base = run.base.map { base in
            let widened = scratch.buffer(1, of: Double.self, count: run.count)
            run.type.widen(base, into: widened, run.count)
            return UnsafePointer(widened)
        }
        apply(from: run.start, to: UnsafeMutableBufferPointer(start: values, count: run.count), base: base)
        run.type.narrow(UnsafePointer(values), into: run.target, run.count)
    }
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
    /// Takes what users are to be told.
    var note: @Sendable (String) -> Void = { _ in }
    /// A random stream of the protection's key for each name.
    let stream: @Sendable (_ name: String) -> KeyedRandomStream

    /// The matrices of linear maps that some kinds of sites act on in the layers of the step, whichever of them the step's elements move.
    func matrices(at kinds: Set<Site.Kind>) -> [TensorRecord] {
        let names = architecture.allSites
            .filter { kinds.contains($0.kind) && $0.isInside(step.layers.map(Set.init)) }
            .flatMap { $0.slices.map(\.tensor) }
        var seen: Set<String> = []
        // The biases of experts that share a tensor have two axes, too.
        let biases = Set(architecture.projections.compactMap(\.bias))
        return names.filter { !biases.contains($0) && seen.insert($0).inserted }.compactMap { model.tensors[$0] }
            .filter { $0.shape.count > 1 && $0.type.isComputable && $0.elementCount > 0 }
    }

    func parameter(_ parameter: MethodParameter) -> Double { step.parameters[parameter] ?? parameter.standard ?? 0 }
}
