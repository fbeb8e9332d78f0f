import Architectures
import ForwardPass
import LinearAlgebra

/// Runs the original, the protected model and rounded originals side by side: each through all its layers, and block by block on the
/// original's own stream, where no noise of earlier layers hides what a block does. Routers follow the original's decisions where
/// these are ties, as `RoutingGuide` has it.
struct LockStep<Real: ComputeScalar> {
    let original: Model
    let protected: Model
    let inputs: ModelInputs
    let moved: Set<String>
    let groups: [String: [Set<String>]]
    /// Of the protected model beside the original.
    let arrangement: Rearrangement
    let tolerance: Comparison.DriftTolerance
    /// Seeds of the noises, one for each rounded original.
    let seeds: [UInt64]
    /// Stored names by layer, those outside all layers under nil.
    private let tensors: [Int?: [String]]

    init(
        original: Model, protected: Model, inputs: ModelInputs, moved: Set<String>, groups: [String: [Set<String>]],
        arrangement: Rearrangement, tolerance: Comparison.DriftTolerance, seeds: [UInt64]
    ) {
        (self.original, self.protected, self.inputs) = (original, protected, inputs)
        (self.moved, self.groups, self.arrangement) = (moved, groups, arrangement)
        (self.tolerance, self.seeds) = (tolerance, seeds)
        var tensors: [Int?: [String]] = [:]
        for (name, role) in original.architecture.roles { tensors[role.layer, default: []].append(name) }
        self.tensors = tensors
    }

    func start(_ model: Model, _ weights: Weights) -> ForwardRun<Real> {
        ForwardRun(model.architecture, weights, inputs, threads: model.threads)
    }

    private func companions() -> Companions {
        Companions(
            protected: start(protected, protected.weights),
            noisy: seeds.map { start(original, original.weights.rerounded(moved, seed: $0)) }, tolerance: tolerance,
            arrangement: arrangement)
    }

    func run(_ progress: ((Double) -> Void)?) throws -> Comparison {
        let a = start(original, original.weights)
        let (through, alone) = (companions(), companions())
        let steps = ForwardRun<Real>.steps(of: original.architecture)
        var layers: [Comparison.Layer] = []
        var routing = Comparison.Routing()
        var fault: Comparison.Fault?
        var notFinite: String?
        for (number, stack) in original.architecture.stacks.enumerated() {
            for run in alone.noisy { run.resume(after: a.finished) }
            alone.protected.resume(after: arrangement.arranged(a.finished))
            for run in [a] + through.runs + alone.runs { try run.begin(stack: number) }
            release(layer: nil)
            if notFinite == nil, !a.states.isFinite { notFinite = stack.name + ".embedding" }
            for step in steps where step.stack == number {
                let before = a.stream
                let (place, own): (Place, Place?) =
                    try touches(step)
                    ? Self.apply(step, to: a, through, alone) : (through.applyUnmoved(step, beside: a), nil)
                if let decisions = through.protected.routing {
                    routing.count(decisions, beside: through.noisy.compactMap(\.routing))
                }
                layers.append(place.layer(through.protected, own: own.map { $0.drift(alone.protected) }))
                if notFinite == nil, !a.states.isFinite { notFinite = place.name }
                if fault == nil, notFinite == nil {
                    if let own, !own.isRounding(alone.protected) {
                        fault = try heal(own, from: before, encoder: a.finished)
                    } else if !place.isRounding(through.protected) {
                        fault = .init(block: place.name, tensors: [])
                    }
                }
                if step.sublayer == stack.layers[step.layer].sublayers.count - 1 { release(layer: step.layer) }
                progress?(Double(layers.count) / Double(max(steps.count, 1)))
            }
            for run in [a] + through.runs { try run.end(stack: number) }
        }
        let outputs = try outputs(of: [a] + through.runs)
        if notFinite == nil, !outputs.areFinite { notFinite = "head" }
        if fault == nil, notFinite == nil, !outputs.areRounding(tolerance, layers: layers) {
            fault = .init(block: "head", tensors: [])
        }
        let (drift, floor) = outputs.counted(tolerance)
        return Comparison(
            kind: outputs.kind, drift: drift, floor: floor, layers: layers,
            routing: routing.decisions > 0 ? routing : nil, firstFault: fault, notFinite: notFinite)
    }

    /// - Parameter runs: the original, the protected model, the rounded ones.
    private func outputs(of runs: [ForwardRun<Real>]) throws -> LockStepOutputs<Real> {
        let isMoved = original.architecture.roles.contains { $0.value.layer == nil && moved.contains($0.key) }
        defer { release(layer: nil) }
        let all = try isMoved ? runs.map { try $0.output() } : ForwardRun.outputs(of: runs)
        return LockStepOutputs(all[0], all[1].values, all.dropFirst(2).map(\.values))
    }

    /// Lets go of the pages of a layer's weights, or of what lies outside all layers: all have read them.
    private func release(layer: Int?) {
        for name in tensors[layer] ?? [] {
            original.weights.checkpoint.releasePages(ofTensor: name)
            protected.weights.checkpoint.releasePages(ofTensor: name)
        }
    }

    private func touches(_ step: ForwardRun<Real>.Step) -> Bool {
        let sublayer = original.architecture.stacks[step.stack].layers[step.layer].sublayers[step.sublayer]
        return arrangement.streams[step.stack] != nil
            || sublayer.feedForwardTensors.map { !moved.isDisjoint(with: $0) } ?? true
    }

    /// Runs a block of the protected model again, on the original's stream, with some tensors put back.
    private func heal(
        _ place: Place, from stream: ForwardRun<Real>.Stream,
        encoder: [(states: States<Real>, positions: Positions)]
    ) throws -> Comparison.Fault {
        let step = place.step
        // Where a stream is turned, no tensor of the original fits the protected model.
        guard !arrangement.turnsStreams else { return .init(block: place.name, tensors: []) }
        let layer = original.architecture.stacks[step.stack].layers[step.layer]
        let block = layer.sublayers[step.sublayer].operation.blockName
        for group in groups[block] ?? [] {
            let run = start(
                protected,
                protected.weights.replacing(group, from: original.weights.checkpoint, arrangement: arrangement))
            run.resume(after: arrangement.arranged(encoder))
            try run.begin(stack: step.stack)
            run.stream = stream.arranged { arrangement.arranged($0, stack: step.stack) }
            run.guide = place.guideOfProtected
            try run.apply(step)
            if place.isRounding(run) { return .init(block: place.name, tensors: group.sorted()) }
        }
        return .init(block: place.name, tensors: [])
    }
}
