import Architectures
import Checkpoints
import Foundations
import LinearAlgebra

/// One evaluation of a model, layer by layer, so that several can go in step.
///
/// What other rooms call of it is specialised here, where its body is seen: called unspecialised, a proof takes half as long again.
package final class ForwardRun<Real: ComputeScalar> {
    /// A place where the residual stream can be looked at.
    package struct Step: Sendable, Equatable {
        package let stack: Int
        package let layer: Int
        package let sublayer: Int
    }

    /// The residual stream between two steps.
    package struct Stream: Equatable {
        fileprivate(set) var states: States<Real>
        /// What the layer's first sublayer read, for layers whose sublayers run side by side.
        fileprivate var layerInput: States<Real>

        /// The same stream in a model that arranges its channels otherwise.
        package func arranged(_ map: (States<Real>) -> States<Real>) -> Stream {
            Stream(states: map(states), layerInput: map(layerInput))
        }

        /// Bit for bit.
        package static func == (a: Stream, b: Stream) -> Bool {
            a.states.isIdentical(to: b.states) && a.layerInput.isIdentical(to: b.layerInput)
        }
    }

    package let architecture: Architecture
    let maps: LinearMaps<Real>
    let inputs: ModelInputs
    let cache: KeyValueCache<Real>?

    /// Decisions of another run that the next step's router follows where they are ties.
    package var guide: RoutingGuide?
    /// What the last step's router decided; nil where it had none.
    package private(set) var routing: RoutingDecisions?
    /// The residual stream, whose states are never changed in place.
    package var stream: Stream
    private(set) var positions = Positions(lengths: [])
    /// Last states of the stacks that have run.
    package private(set) var finished: [(states: States<Real>, positions: Positions)] = []
    private var rotaries: [(rotary: Rotary, rows: Int, table: RotaryTable<Real>)] = []
    private var scores: [(name: String, scores: PositionScores<Real>)] = []

    package init(
        _ architecture: Architecture, _ weights: Weights, _ inputs: ModelInputs, threads: Int,
        observer: Observer? = nil,
        cache: KeyValueCache<Real>? = nil
    ) {
        self.architecture = architecture
        maps = LinearMaps(weights: weights, threads: threads, observer: observer)
        self.inputs = inputs
        self.cache = cache
        let empty = States<Real>(rows: 0, columns: 0)
        stream = Stream(states: empty, layerInput: empty)
    }

    package private(set) var states: States<Real> {
        get { stream.states }
        set { stream.states = newValue }
    }

    /// Goes on from the last states of an encoder that has run.
    package func resume(after encoder: [(states: States<Real>, positions: Positions)]) { finished = encoder }

    /// Every sublayer in the order in which they run.
    package static func steps(of architecture: Architecture) -> [Step] {
        architecture.stacks.indices.flatMap { stack in
            architecture.stacks[stack].layers.indices.flatMap { layer in
                architecture.stacks[stack].layers[layer].sublayers.indices.map {
                    Step(stack: stack, layer: layer, sublayer: $0)
                }
            }
        }
    }

    /// Path of the block that a step runs, with the number of the layer where layers share blocks.
    package static func name(of step: Step, in architecture: Architecture) -> String {
        architecture.spelling(of: .block(step, in: architecture))
    }

    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func begin(stack number: Int) throws {
        let stack = architecture.stacks[number]
        let runner = EmbeddingRunner(maps: maps)
        let isDecoder = stack.readsEncoder
        switch stack.embedding {
        case .tokens(let embedding):
            let tokens = isDecoder ? decoderTokens : inputs.tokens
            guard !tokens.isEmpty else { throw wrongInputs("tokens\(isDecoder ? " for the decoder" : "")") }
            guard tokens.allSatisfy({ !$0.isEmpty }) else { throw ForwardError.emptySequence }
            positions = Positions(lengths: tokens.map(\.count), offset: cache?.length ?? 0)
            states = try runner.tokens(embedding, tokens, types: isDecoder ? [] : inputs.types, positions)
        case .patches(let embedding):
            guard !inputs.pixels.isEmpty else { throw wrongInputs("images") }
            (states, positions) = try runner.patches(embedding, inputs.pixels)
        case .audio(let embedding):
            guard !inputs.pixels.isEmpty else { throw wrongInputs("mel spectrograms") }
            (states, positions) = try runner.audio(embedding, inputs.pixels)
        }
        rotaries = []
        scores = []
        if isDecoder, let encoder = finished.first, encoder.positions.segments.count != positions.segments.count {
            throw wrongInputs("as many decoder sequences as encoder inputs")
        }
        try maps.observer?.note(.embedding(stack: stack.name), states)
    }

    /// A classifier's decoder reads what its encoder reads, one token later, unless it is given tokens of its own.
    private var decoderTokens: [[Int]] {
        guard inputs.decoderTokens.isEmpty, case .classifier(let head) = architecture.head,
            let start = head.decoderStart
        else { return inputs.decoderTokens }
        return inputs.tokens.map { tokens in
            switch start {
            case .token(let token): return [token] + tokens.dropLast()
            case .last(let padding):
                let count = tokens.count { $0 != padding }
                return count > 0 ? [tokens[count - 1]] + tokens.dropLast() : []
            }
        }
    }

    func wrongInputs(_ expected: String) -> ForwardError {
        let found =
            inputs.pixels.isEmpty ? (inputs.tokens.isEmpty ? "none" : "tokens alone") : "arrays of pixels or sound"
        return .wrongInputs(path: maps.weights.checkpoint.path, expected: expected, found: found)
    }

    /// Runs one sublayer.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func apply(_ step: Step) throws {
        try Interruption.check()
        routing = nil
        try add(output(of: sublayer(step), on: input(of: step), positions, layer: step.layer), step)
    }

    /// Runs one sublayer of several runs on the same inputs in one pass through its weights, which are the first run's for all of
    /// them; from the same stream follows the same, to the bit. Routers decide, and encoders are read, by each run for itself.
    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package static func apply(_ step: Step, to runs: [ForwardRun]) throws {
        guard let first = runs.first, first.sublayer(step).operation.isStackable else {
            for run in runs { try run.apply(step) }
            return
        }
        var distinct: [ForwardRun] = []
        for run in runs where !distinct.contains(where: { $0.stream == run.stream }) { distinct.append(run) }
        let twins = runs.map { run in distinct.first { $0.stream == run.stream } ?? run }
        try Interruption.check()
        let inputs = distinct.map { $0.input(of: step) }
        let positions = Positions(lengths: distinct.flatMap { $0.positions.segments.map(\.count) })
        let all = try first.output(
            of: first.sublayer(step), on: States(stacking: inputs), positions, layer: step.layer)
        var start = 0
        for (run, input) in zip(distinct, inputs) {
            run.routing = nil
            try run.add(all.gathered(Array(start..<start + input.rows)), step)
            start += input.rows
        }
        for (run, twin) in zip(runs, twins) where run !== twin {
            run.routing = nil
            run.stream = twin.stream
        }
    }

    private func sublayer(_ step: Step) -> Sublayer {
        architecture.stacks[step.stack].layers[step.layer].sublayers[step.sublayer]
    }

    private func input(of step: Step) -> States<Real> {
        if step.sublayer == 0 { stream.layerInput = states }
        return architecture.stacks[step.stack].layers[step.layer].isParallel ? stream.layerInput : states
    }

    /// Adds what a sublayer computed to the residual stream.
    private func add(_ branch: States<Real>, _ step: Step) throws {
        branch.add(states)
        states = try sublayer(step).residual.map { try LoadedNorm($0, maps.weights).apply(branch) } ?? branch
        try maps.observer?.note(.block(step, in: architecture), states)
    }

    /// What a sublayer adds to the residual stream.
    func output(
        of sublayer: Sublayer, on x: States<Real>, _ positions: Positions, layer: Int
    ) throws -> States<Real> {
        let input = try sublayer.before.map { try LoadedNorm($0, maps.weights).apply(x) } ?? x
        var y: States<Real>
        switch sublayer.operation {
        case .attention(let block): y = try attention(block, input, positions, layer: layer)
        case .mlp(let block): y = try FeedForwardRunner(maps: maps)(block, input)
        case .experts(let block): (y, routing) = try FeedForwardRunner(maps: maps)(block, input, guide: guide)
        case .opaque:
            throw ArchitectureError.notEvaluable(
                path: maps.weights.checkpoint.path, parts: architecture.opaqueParts.map(\.name))
        }
        // What a block returns may be its input's own memory only where nothing was computed.
        if y === x { y = States(y) }
        if let after = sublayer.after { y = try LoadedNorm(after, maps.weights).apply(y) }
        if let name = sublayer.scale {
            let factors: [Real] = try maps.weights.values(name)
            for row in 0..<y.rows {
                for column in 0..<min(y.columns, factors.count) { y.row(row)[column] *= factors[column] }
            }
        }
        y.scale(Real(sublayer.multiplier))
        return y
    }

    private func attention(
        _ block: AttentionBlock, _ input: States<Real>, _ positions: Positions, layer: Int
    ) throws -> States<Real> {
        var scores: PositionScores<Real>?
        if let bias = block.positionBias { scores = try self.scores(for: bias, block) }
        let runner = try AttentionRunner(
            block, maps, rotary: block.rotary.map { table(for: $0, positions) }, scores: scores)
        if block.readsEncoder {
            guard let encoder = finished.first else { throw wrongInputs("an encoder's states") }
            return try runner(input, positions, source: encoder)
        }
        return try runner(input, positions, cache: cache, cacheKey: "\(block.name)#\(layer)")
    }

    private func table(for rotary: Rotary, _ positions: Positions) -> RotaryTable<Real> {
        if let known = rotaries.first(where: { $0.rotary == rotary && $0.rows == positions.rows }) {
            return known.table
        }
        let table = RotaryTable<Real>(rotary, positions)
        rotaries.append((rotary, positions.rows, table))
        return table
    }

    private func scores(
        for bias: AttentionBlock.PositionBias, _ block: AttentionBlock
    ) throws(ForwardError) -> PositionScores<Real> {
        let name = "\(bias) \(block.heads)"
        if let known = scores.first(where: { $0.name == name }) { return known.scores }
        let made = try PositionScores<Real>(bias, heads: block.heads, maps.weights)
        scores.append((name, made))
        return made
    }

    @_specialize(where Real == Float)
    @_specialize(where Real == Double)
    package func end(stack number: Int) throws {
        let stack = architecture.stacks[number]
        if let norm = stack.finalNorm { states = try LoadedNorm(norm, maps.weights).apply(states) }
        if let projection = stack.finalProjection { states = try maps.apply(projection, to: states) }
        try maps.observer?.note(.states(stack: stack.name), states)
        finished.append((states, positions))
    }

    /// Everything up to the head, from the stack that comes next.
    func runStacks() throws {
        let steps = Self.steps(of: architecture)
        for stack in finished.count..<architecture.stacks.count {
            try begin(stack: stack)
            for step in steps where step.stack == stack { try apply(step) }
            try end(stack: stack)
        }
        cache?.length += positions.rows
    }
}

extension ActivationPoint {
    /// The residual stream behind a step.
    static func block<Real>(_ step: ForwardRun<Real>.Step, in architecture: Architecture) -> ActivationPoint {
        let stack = architecture.stacks[step.stack]
        let sublayer = stack.layers[step.layer].sublayers[step.sublayer]
        return .block(stack: stack.name, layer: step.layer, name: sublayer.operation.shortName)
    }
}

extension Sublayer.Operation {
    /// Whether sequences of several runs can go through it as if they were one run's.
    fileprivate var isStackable: Bool {
        switch self {
        case .attention(let block): !block.readsEncoder
        case .mlp: true
        case .experts, .opaque: false
        }
    }
}

extension Stack {
    /// Whether one of its attentions reads the states of the stack before.
    public var readsEncoder: Bool {
        layers.first?.sublayers.contains { sublayer in
            if case .attention(let block) = sublayer.operation { block.readsEncoder } else { false }
        } ?? false
    }
}
