import Architectures
import Checkpoints
import Glibc
import LinearAlgebra

/// Two models evaluated in step, layer by layer, on the same inputs, and how far they come apart.
public struct Comparison: Sendable {
    /// How two outputs differ.
    public struct Outputs: Sendable, Equatable {
        /// ‖b - a‖ / ‖a‖ over all outputs.
        public var relativeError = 0.0
        public var largestError = 0.0
        /// Mean and largest Kullback-Leibler divergence of softmax(b) from softmax(a) over rows, in nats; 0 where rows are no scores.
        public var meanDivergence = 0.0
        public var largestDivergence = 0.0
        /// Rows whose largest entry is the same in both, of those that are no ties.
        public var agreeing = 0
        /// Rows whose two largest entries in a lie farther apart than rounding could move them.
        public var decided = 0
        public var rows = 0
        /// Largest change of the cosine similarity of two sequences' mean states; nil where the outputs are no states of sequences.
        public var largestSimilarityChange: Double?
    }

    /// The residual stream after one block.
    public struct Layer: Sendable, Equatable {
        public let name: String
        /// ‖b - a‖ / ‖a‖ of the residual stream.
        public let drift: Double
        /// The same of the original with its moved weights rounded once more.
        public let floor: Double
    }

    public let kind: OutputKind
    public let drift: Outputs
    /// The rounding floor: the original against itself with noise of half an ulp on every weight that differs between the two.
    public let floor: Outputs
    public let layers: [Layer]
    /// The first block whose drift cannot be rounding, `head` where it lies behind all layers, and what in it must be put back to
    /// heal it.
    public let firstFault: Fault?
    /// The first place from which on the original's own values are not finite, so that nothing can be compared.
    public let notFinite: String?

    public struct Fault: Sendable, Equatable {
        public let block: String
        /// The smallest set of tensors, of those tried, whose original values heal the block; empty when none does.
        public let tensors: [String]
    }

    /// What counts as rounding: `multiple` times the floor, and `absolute` besides.
    public struct Tolerance: Sendable, Equatable {
        public let multiple: Double
        public let absolute: Double

        public init(multiple: Double, absolute: Double) {
            self.multiple = multiple
            self.absolute = absolute
        }

        /// A floor that is not finite measures nothing and allows nothing.
        public func allows(_ drift: Double, floor: Double) -> Bool {
            drift <= max(floor.isFinite ? multiple * floor : 0, absolute)
        }
    }

    /// - Parameters:
    ///   - moved: tensors that differ: the noise goes there.
    ///   - seed: chooses the noise.
    ///   - groups: for each block's name the sets of tensors that are moved together, smallest first, to find a fault by.
    public static func run(
        _ original: Model, _ protected: Model, _ inputs: ModelInputs, inDouble: Bool, moved: Set<String>,
        groups: [String: [Set<String>]], tolerance: Tolerance, seed: UInt64 = 1,
        progress: ((Double) -> Void)? = nil
    ) throws -> Comparison {
        inDouble
            ? try LockStep<Double>(original, protected, inputs, moved, groups, tolerance, seed).run(progress)
            : try LockStep<Float>(original, protected, inputs, moved, groups, tolerance, seed).run(progress)
    }
}

/// Runs the original, the protected model and the rounded original side by side.
private struct LockStep<Real: ComputeScalar> {
    let original: Model
    let protected: Model
    let inputs: ModelInputs
    let moved: Set<String>
    let groups: [String: [Set<String>]]
    let tolerance: Comparison.Tolerance
    let seed: UInt64

    init(
        _ original: Model, _ protected: Model, _ inputs: ModelInputs, _ moved: Set<String>,
        _ groups: [String: [Set<String>]], _ tolerance: Comparison.Tolerance, _ seed: UInt64
    ) {
        self.seed = seed
        self.original = original
        self.protected = protected
        self.inputs = inputs
        self.moved = moved
        self.groups = groups
        self.tolerance = tolerance
    }

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
        let (changed, rounded) = (try b.output().values, try noisy.output().values)
        let drift = Self.compare(values, changed, kind)
        let floor = Self.compare(values, rounded, kind)
        // A few outputs, such as class scores, are a small sample: by chance their floor is low, then that of the layers stands in
        // for it, or their drift high.
        let count = values.reduce(0) { $0 + $1.elements.count }
        let chance = 1 + 2 / Double(max(count, 1)).squareRoot()
        let settled = max(floor.relativeError, layers.map(\.floor).max() ?? 0)
        if notFinite == nil, !values.allSatisfy({ $0.elements.allSatisfy(\.isFinite) }) { notFinite = "head" }
        if fault == nil, notFinite == nil, !tolerance.allows(drift.relativeError, floor: chance * settled) {
            fault = .init(block: "head", tensors: [])
        }
        // Ties are what rounding could turn.
        let largest = values.reduce(0.0) { max($0, $1.elements.reduce(0.0) { max($0, Double($1.magnitude)) }) }
        let margin = 2 * max(tolerance.multiple * chance * floor.largestError, tolerance.absolute * largest)
        return Comparison(
            kind: kind, drift: Self.agreement(drift, values, changed, margin),
            floor: Self.agreement(floor, values, rounded, margin), layers: layers, firstFault: fault,
            notFinite: notFinite)
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
        let block = layer.sublayers[step.sublayer].blockName
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

    private static func compare(_ a: [Matrix<Real>], _ b: [Matrix<Real>], _ kind: OutputKind) -> Comparison.Outputs {
        var outputs = Comparison.Outputs()
        var (difference, size) = (0.0, 0.0)
        guard a.count == b.count else {
            outputs.relativeError = .infinity
            return outputs
        }
        for (x, y) in zip(a, b) {
            for (p, q) in zip(x.elements, y.elements) {
                let error = Double(q) - Double(p)
                difference += error * error
                size += Double(p) * Double(p)
                outputs.largestError = max(outputs.largestError, error.isNaN ? .infinity : error.magnitude)
            }
            guard kind == .logits || kind == .classes else { continue }
            for row in 0..<x.rows {
                let range = row * x.columns..<(row + 1) * x.columns
                let divergence = divergence(of: y.elements[range], from: x.elements[range])
                outputs.meanDivergence += divergence
                outputs.largestDivergence = max(outputs.largestDivergence, divergence)
                outputs.rows += 1
            }
        }
        outputs.meanDivergence /= Double(max(outputs.rows, 1))
        if kind == .states { outputs.largestSimilarityChange = SentenceSimilarity.largestChange(a, b) }
        let ratio = difference == 0 ? 0 : (difference / size).squareRoot()
        outputs.relativeError = ratio.isFinite ? ratio : .infinity
        return outputs
    }

    /// Σ p log(p / q), of softmax p of a and q of b.
    private static func divergence(of b: ArraySlice<Real>, from a: ArraySlice<Real>) -> Double {
        func normalizer(_ row: ArraySlice<Real>) -> Double {
            let top = Double(row.max() ?? 0)
            return top + log(row.reduce(0.0) { $0 + exp(Double($1) - top) })
        }
        let (za, zb) = (normalizer(a), normalizer(b))
        var sum = 0.0
        for (x, y) in zip(a, b) {
            let logP = Double(x) - za
            sum += exp(logP) * (logP - (Double(y) - zb))
        }
        return sum.isNaN ? .infinity : max(sum, 0)
    }

    private static func agreement(
        _ outputs: Comparison.Outputs, _ a: [Matrix<Real>], _ b: [Matrix<Real>], _ margin: Double
    ) -> Comparison.Outputs {
        var outputs = outputs
        guard outputs.rows > 0 else { return outputs }
        for (x, y) in zip(a, b) {
            for row in 0..<x.rows {
                var best = 0
                var second = -Double.infinity
                var other = 0
                for column in 0..<x.columns {
                    let value = x[row, column]
                    if column > 0, value > x[row, best] {
                        second = Double(x[row, best])
                        best = column
                    } else if column > 0 {
                        second = max(second, Double(value))
                    }
                    if y[row, column] > y[row, other] { other = column }
                }
                guard Double(x[row, best]) - second > margin else { continue }
                outputs.decided += 1
                if best == other { outputs.agreeing += 1 }
            }
        }
        return outputs
    }
}
