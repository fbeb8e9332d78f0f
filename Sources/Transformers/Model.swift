import Architectures
import Checkpoints
import LinearAlgebra

/// A model that can be evaluated: weights and what is computed with them. Weights stay in their files and are widened as they
/// are used, so that memory holds activations and a few tiles, whatever the model's size.
public struct Model: Sendable {
    public let architecture: Architecture
    public let weights: Weights
    public let threads: Int

    public init(_ checkpoint: Checkpoint, threads: Int? = nil) throws(ArchitectureError) {
        self.init(architecture: try Architecture.resolve(checkpoint), weights: Weights(checkpoint), threads: threads)
    }

    public init(architecture: Architecture, weights: Weights, threads: Int? = nil) {
        self.architecture = architecture
        self.weights = weights
        self.threads = threads ?? WorkerThreads.availableCores
        BLASThreads.use(1)
    }

    /// The outputs of one evaluation.
    public struct Output<Real: RealScalar>: Sendable {
        public let kind: OutputKind
        /// One matrix per sequence; one in all for similarities.
        public let values: [Matrix<Real>]
        /// Activations that were asked for, by name.
        public let activations: [String: Matrix<Real>]
    }

    /// Evaluates in f32.
    ///
    /// - Parameter activations: names to keep: `decoder.embedding`, `layers.3.attention` (the residual stream after that block),
    ///   `decoder.states`; with several stacks a block's name begins with its stack's.
    public func single(_ inputs: ModelInputs, activations: Set<String> = []) throws -> Output<Float> {
        try run(inputs, activations)
    }

    /// Evaluates in f64: the same operations, weights widened exactly.
    public func double(_ inputs: ModelInputs, activations: Set<String> = []) throws -> Output<Double> {
        try run(inputs, activations)
    }

    private func run<Real: ComputeScalar>(_ inputs: ModelInputs, _ wanted: Set<String>) throws -> Output<Real> {
        var kept: [String: Matrix<Real>] = [:]
        let observer = ForwardRun<Real>.Observer(wants: wanted.contains) { kept[$0] = $1 }
        let run = ForwardRun<Real>(architecture, weights, inputs, threads: threads, observer: observer)
        try run.runStacks()
        let (kind, values) = try run.output()
        return Output(kind: kind, values: values, activations: kept)
    }

    /// Greedy continuation of one sequence in f32, with a cache of keys and values: the token of the largest logit, `count` times
    /// or until `end`. Behind an encoder the prompt is the decoder's.
    public func generate(_ inputs: ModelInputs, count: Int, end: Int? = nil) throws -> [Int] {
        guard case .language = architecture.head, let decoder = architecture.stacks.last, decoder.isCausal else {
            throw ForwardError.notGenerative(path: weights.checkpoint.path, family: architecture.family)
        }
        let cache = KeyValueCache<Float>()
        var encoder: [(states: States<Float>, positions: Positions)] = []
        var next = inputs
        var tokens: [Int] = []
        while tokens.count < count {
            let run = ForwardRun<Float>(architecture, weights, next, threads: threads, cache: cache)
            run.resume(after: encoder)
            try run.runStacks()
            encoder = Array(run.finished.dropLast())
            guard let logits = try run.output(lastOnly: true).values.first else { break }
            let best = logits.elements.indices.max { (logits.elements[$0], $1) < (logits.elements[$1], $0) } ?? 0
            tokens.append(best)
            if best == end { break }
            if decoder.readsEncoder { next.decoderTokens = [[best]] } else { next.tokens = [[best]] }
            next.types = []
        }
        return tokens
    }
}

extension Stack {
    /// Whether no position sees a later one.
    var isCausal: Bool {
        layers.allSatisfy { layer in
            layer.sublayers.allSatisfy { sublayer in
                if case .attention(let block) = sublayer.operation {
                    block.mask.isCausal || block.readsEncoder
                } else {
                    true
                }
            }
        }
    }
}
