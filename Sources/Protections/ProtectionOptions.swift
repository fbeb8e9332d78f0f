import Architectures
import Checkpoints
import ForwardPass
import Symmetries

/// What the user chose for one step.
public struct StepOptions: Sendable {
    public var method: ProtectionMethod
    /// Nil for the method's default.
    public var sampler: Sampler?
    /// Nil for the sampler's default.
    public var condition: Double?
    /// Nil for those that the method acts on when nothing is said.
    public var siteKinds: Set<Site.Kind>?
    /// What is done to residual streams where the sites hold them. `none` leaves them as they are: adapters, draft heads and steering
    /// vectors may go on reading them.
    public var residual = ResidualTransform.permutation
    /// Nil for all layers.
    public var layers: [Int]?
    /// What is said of the method's parameters.
    public var parameters: [MethodParameter: Double] = [:]
    /// How the activations of MLPs are stated as polynomials (MergeBarrier); nil where they stay.
    public var ffn: PolynomialActivations.Form?

    public init(method: ProtectionMethod) { self.method = method }

    /// Whether weights are changed before any element acts.
    public var changesWeights: Bool { method.change(given: parameters) != nil || ffn != nil }
}

/// What the user chose.
@dynamicMemberLookup
public struct ProtectionOptions: Sendable {
    /// One at least; the first acts first.
    public private(set) var steps: [StepOptions]
    /// The public model that this one was trained from, for methods that look at it.
    public var base: Checkpoint?
    /// An adapter that goes into the weights before anything else is done to them.
    public var adapter: LoRAAdapter?
    /// What activations are taken on, for methods that look at them.
    public var calibration: ModelInputs?
    /// Nil keeps the source's files.
    public var maximumShardSize: Int?
    /// Nil for all cores.
    public var threads: Int?
    public var allowsNonFinite = false
    /// Whether README.md tells of the protection, the publisher's own text before it.
    public var writesCard = true
    /// Nil for a fresh one; a nonce that is said again repeats an output to the byte.
    public var nonce: ProtectionNonce?

    public init(method: ProtectionMethod) { self.init(StepOptions(method: method)) }

    public init(_ first: StepOptions, then others: [StepOptions] = []) { steps = [first] + others }

    /// Takes layers out of the steps that mask task vectors (MergeGuard).
    public mutating func leaveAlone(_ layers: [Int], of count: Int) {
        for number in steps.indices where steps[number].method == .mergeguard {
            steps[number].layers = (steps[number].layers ?? Array(0..<count)).filter { !layers.contains($0) }
        }
    }

    /// Gives the steps what they can look at, and leaves out what none of them does.
    package mutating func give(base: Checkpoint, calibration: ModelInputs?) {
        let changes = steps.compactMap { $0.method.change(given: $0.parameters) }
        if changes.contains(where: \.needsBase) { self.base = base }
        if changes.contains(where: \.usesInputs) || steps.contains(where: { $0.ffn != nil }) {
            self.calibration = calibration
        }
    }

    /// Whether no step's condition number was named.
    var namesNoCondition: Bool { steps.allSatisfy { $0.condition == nil } }

    /// Of the first step.
    public subscript<Value>(dynamicMember path: WritableKeyPath<StepOptions, Value>) -> Value {
        get { steps[0][keyPath: path] }
        set { steps[0][keyPath: path] = newValue }
    }
}
