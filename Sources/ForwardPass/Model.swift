import Architectures
import Checkpoints
import Foundations
import LinearAlgebra

/// A model that can be evaluated: weights and what is computed with them. Weights stay in their files and are widened as they
/// are used, so that memory holds activations and a few tiles, whatever the model's size.
public struct Model: Sendable {
    public let architecture: Architecture
    public let weights: Weights
    public let threads: Int

    /// - Throws: `ArchitectureError.notEvaluable` where some part of the model is not described.
    public init(_ checkpoint: Checkpoint, threads: Int? = nil) throws(ArchitectureError) {
        let architecture = try Architecture.resolve(checkpoint)
        guard architecture.isEvaluable else {
            throw .notEvaluable(path: checkpoint.path, parts: architecture.opaqueParts.map(\.name))
        }
        self.init(architecture: architecture, weights: Weights(checkpoint), threads: threads)
    }

    public init(architecture: Architecture, weights: Weights, threads: Int? = nil) {
        self.architecture = architecture
        self.weights = weights
        self.threads = WorkerThreads.count(threads)
        BLASThreads.use(1)
    }

    /// The outputs of one evaluation.
    public struct Output<Real: RealScalar>: Sendable {
        public let kind: OutputKind
        /// One matrix per sequence; one in all for similarities.
        public let values: [Matrix<Real>]
        /// Activations that were asked for, sequences one below the other; where layers share a map, so are its calls. What nothing
        /// computes, such as an expert that no position is routed to, is absent.
        public let activations: [ActivationPoint: Matrix<Real>]
    }

    /// Evaluates in f32.
    ///
    /// - Parameters:
    ///   - activations: points whose activations are kept.
    ///   - sinks: what receives the activations of further points, or of the same, as they are computed; they may be used for
    ///     many evaluations.
    /// - Throws: `ForwardError.unknownActivation` for a point that the model does not have, before anything is computed.
    public func single(
        _ inputs: ModelInputs, activations: Set<ActivationPoint> = [],
        sinks: [ActivationPoint: any ActivationSink] = [:]
    ) throws -> Output<Float> { try run(inputs, activations, sinks) }

    /// Evaluates in f64: the same operations, weights widened exactly.
    public func double(
        _ inputs: ModelInputs, activations: Set<ActivationPoint> = [],
        sinks: [ActivationPoint: any ActivationSink] = [:]
    ) throws -> Output<Double> { try run(inputs, activations, sinks) }

    /// The point that is written so, as `ActivationPoint` explains.
    ///
    /// - Throws: `ForwardError.unknownActivation` unless the model has it.
    public func activationPoint(_ text: String) throws(ForwardError) -> ActivationPoint {
        try architecture.activationPoint(spelled: text, path: weights.checkpoint.path)
    }

    private func run<Real: ComputeScalar>(
        _ inputs: ModelInputs, _ wanted: Set<ActivationPoint>, _ sinks: [ActivationPoint: any ActivationSink]
    ) throws -> Output<Real> {
        try architecture.require(wanted.union(sinks.keys), path: weights.checkpoint.path)
        let kept = Dictionary(uniqueKeysWithValues: wanted.map { ($0, KeptActivations<Real>()) })
        let observer = Observer(kept.mapValues { [$0] }.merging(sinks.mapValues { [$0] }) { $0 + $1 })
        let run = ForwardRun<Real>(architecture, weights, inputs, threads: threads, observer: observer)
        try run.runStacks()
        let (kind, values) = try run.output()
        return Output(kind: kind, values: values, activations: kept.filter { $0.value.rows > 0 }.mapValues(\.matrix))
    }

    /// Greedy continuation of one sequence in f32, with a cache of keys and values: the token of the largest logit, `count` times
    /// or until `end`. Behind an encoder the prompt is the decoder's.
    ///
    /// - Throws: `ForwardError` before anything is computed where a table of positions has no room for so many tokens.
    public func generate(_ inputs: ModelInputs, count: Int, end: Int? = nil) throws -> [Int] {
        guard case .language = architecture.head, let decoder = architecture.stacks.last, decoder.isCausal else {
            throw ForwardError.notGenerative(path: weights.checkpoint.path, family: architecture.family)
        }
        let prompts = decoder.readsEncoder ? inputs.decoderTokens : inputs.tokens
        guard prompts.count <= 1 else { throw ForwardError.severalPrompts(count: prompts.count) }
        try requireRoom(for: count, behind: prompts.first?.count ?? 0, in: decoder)
        var cache = KeyValueCache<Float>()
        let restart = architecture.restartLength ?? .max
        var encoder: [(states: States<Float>, positions: Positions)] = []
        var next = inputs
        var tokens: [Int] = []
        while tokens.count < count {
            let run = ForwardRun<Float>(architecture, weights, next, threads: threads, cache: cache)
            run.resume(after: encoder)
            try run.runStacks()
            encoder = Array(run.finished.dropLast())
            guard let logits = try run.output(lastOnly: true).values.first else { break }
            guard logits.elements.allSatisfy(\.isFinite) else {
                throw ForwardError.notFinite(path: weights.checkpoint.path, position: cache.length - 1)
            }
            let best = logits.elements.indices.max { (logits.elements[$0], $1) < (logits.elements[$1], $0) } ?? 0
            tokens.append(best)
            if best == end { break }
            if decoder.readsEncoder { next.decoderTokens = [[best]] } else { next.tokens = [[best]] }
            next.types = []
            let length = (prompts.first?.count ?? 0) + tokens.count
            if length > restart, cache.length <= restart {
                cache = KeyValueCache<Float>()
                next.tokens = [(prompts.first ?? []) + tokens]
            }
        }
        return tokens
    }

    /// The last token needs no position: nothing reads it.
    private func requireRoom(for count: Int, behind prompt: Int, in decoder: Stack) throws(ForwardError) {
        guard case .tokens(let embedding) = decoder.embedding, let name = embedding.positions else { return }
        let maximum = max((try weights.stored(name).record.shape.first ?? 0) - embedding.positionOffset, 0)
        guard count < 1 || count - 1 <= maximum - prompt else {
            throw .tooManyTokens(prompt: prompt, count: count, maximum: maximum)
        }
    }
}

extension Architecture {
    /// The length beyond which keys are computed anew with other rotary factors.
    fileprivate var restartLength: Int? {
        for block in attention {
            guard let rotary = block.rotary, rotary.restartsWhenLong,
                case .longRope(_, _, let trained, _) = rotary.scaling,
                trained < Double(Int32.max)
            else { continue }
            return Int(trained)
        }
        return nil
    }
}

extension Stack {
    /// Whether no position sees a later one.
    public var isCausal: Bool {
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
