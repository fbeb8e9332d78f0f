import Architectures
import LinearAlgebra

/// Runs the original, the protected model and the rounded original side by side.
struct LockStep<Real: ComputeScalar> {
    private static var fewOutputs: Int { 1000 }

    let original: Model
    let protected: Model
    let inputs: ModelInputs
    let moved: Set<String>
    let groups: [String: [Set<String>]]
    let tolerance: Comparison.Tolerance
    let seed: UInt64

    private func start(_ model: Model, _ weights: Weights) -> ForwardRun<Real> {
        ForwardRun(model.architecture, weights, inputs, threads: model.threads)
    }

    func run(_ progress: ((Double) -> Void)?) throws -> Comparison {
        let a = start(original, original.weights)
        let b = start(protected, protected.weights)
        let noisy = start(original, original.weights.rerounded(moved, seed: seed))
        let runs = [a, b, noisy]
        let steps = ForwardRun<Real>.steps(of: original.architecture)
        var layers: [Comparison.Layer] = []
        var fault: Comparison.Fault?
        var notFinite: String?
        var done = 0
        for stack in original.architecture.stacks.indices {
            for run in runs { try run.begin(stack: stack) }
            if notFinite == nil, !a.states.isFinite {
                notFinite = original.architecture.stacks[stack].name + ".embedding"
            }
            var layerStart = a.states
            for step in steps where step.stack == stack {
                if step.sublayer == 0 { layerStart = a.states }
                for run in runs { try run.apply(step) }
                let name = ForwardRun<Real>.name(of: step, in: original.architecture)
                let layer = Comparison.Layer(
                    name: name, drift: Self.distance(a.states, b.states), floor: Self.distance(a.states, noisy.states))
                layers.append(layer)
                if notFinite == nil, !a.states.isFinite { notFinite = name }
                if fault == nil, notFinite == nil, !tolerance.allows(layer.drift, floor: layer.floor) {
                    fault = try heal(step, name, from: layerStart, expected: a, floor: layer.floor)
                }
                done += 1
                progress?(Double(done) / Double(max(steps.count, 1)))
            }
            for run in runs { try run.end(stack: stack) }
        }
        let (kind, values) = try a.output()
        if notFinite == nil, !values.allSatisfy({ $0.elements.allSatisfy(\.isFinite) }) { notFinite = "head" }
        let (changed, rounded) = (try b.output().values, try noisy.output().values)
        var drift = Comparison.Outputs(of: changed, beside: values, kind)
        var floor = Comparison.Outputs(of: rounded, beside: values, kind)
        // A few outputs, such as class scores, are a small sample: by chance their floor is low, then that of the layers stands in
        // for it, or their drift high.
        let count = values.reduce(0) { $0 + $1.elements.count }
        let chance = 1 + 2 / Double(max(count, 1)).squareRoot()
        let settled = count < Self.fewOutputs ? layers.map(\.floor).max() ?? 0 : 0
        if fault == nil, notFinite == nil,
            !tolerance.allows(drift.relativeError, floor: chance * max(floor.relativeError, settled))
        {
            fault = .init(block: "head", tensors: [])
        }
        // Ties are what rounding could turn.
        let largest = values.reduce(0.0) { max($0, $1.elements.reduce(0.0) { max($0, Double($1.magnitude)) }) }
        let margin = 2 * max(tolerance.multiple * chance * floor.largestError, tolerance.absolute * largest)
        drift.countAgreement(of: changed, with: values, margin: margin)
        floor.countAgreement(of: rounded, with: values, margin: margin)
        return Comparison(
            kind: kind, drift: drift, floor: floor, layers: layers, firstFault: fault, notFinite: notFinite)
    }

    /// ‖b - a‖ / ‖a‖, infinite where b is not finite.
    private static func distance(_ a: States<Real>, _ b: States<Real>) -> Double {
        guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
        var (difference, size) = (0.0, 0.0)
        for i in 0..<a.count {
            let (x, y) = (Double(a.base[i]), Double(b.base[i]))
            difference += (y - x) * (y - x)
            size += x * x
        }
        if difference == 0 { return 0 }
        let ratio = (difference / size).squareRoot()
        return ratio.isFinite ? ratio : .infinity
    }

    /// Replays one layer of the protected model on the original's stream with some tensors put back.
    private func heal(
        _ step: ForwardRun<Real>.Step, _ name: String, from start: States<Real>, expected: ForwardRun<Real>,
        floor: Double
    ) throws -> Comparison.Fault {
        let layer = original.architecture.stacks[step.stack].layers[step.layer]
        let block = layer.sublayers[step.sublayer].operation.blockName
        for group in groups[block] ?? [] {
            let run = self.start(
                protected, protected.weights.replacing(group, from: original.weights.checkpoint))
            run.resume(after: expected.finished)
            try run.begin(stack: step.stack)
            run.replaceStates(start)
            for sublayer in 0...step.sublayer {
                try run.apply(.init(stack: step.stack, layer: step.layer, sublayer: sublayer))
            }
            if tolerance.allows(Self.distance(expected.states, run.states), floor: floor) {
                return .init(block: name, tensors: group.sorted())
            }
        }
        return .init(block: name, tensors: [])
    }
}
