import Architectures
import LinearAlgebra

extension Model {
    /// What two models computed at one point, rows of the same positions.
    package struct PairedActivations: Sendable {
        package let own, other: Matrix<Float>
    }

    /// Evaluates this model and another of the same blocks in f32 on the same inputs, step by step side by side, and hands over after each step what
    /// both computed: no more is held than one block's activations and two residual streams.
    ///
    /// Of an expert's maps those positions alone that both models route to it.
    ///
    /// - Parameters:
    ///   - points: which are wanted; the states behind the last norm are passed over.
    ///   - use: given the points that were computed, and those that no later step computes.
    package func inStep(
        with other: Model, on inputs: ModelInputs, observing points: Set<ActivationPoint>,
        _ use: (_ computed: [ActivationPoint: PairedActivations], _ ended: Set<ActivationPoint>) throws -> Void
    ) throws {
        let ends = architecture.lastSteps(of: points)
        let models = [self, other]
        for model in models {
            try model.architecture.require(
                points.union(architecture.streamPoints), path: model.weights.checkpoint.path)
        }
        try architecture.require(other.architecture.streamPoints, path: weights.checkpoint.path)
        let kept = models.map { _ in
            Dictionary(uniqueKeysWithValues: points.map { ($0, KeptActivations<Float>()) })
        }
        let runs = zip(models, kept).map { model, kept in
            ForwardRun<Float>(
                model.architecture, model.weights, inputs, threads: model.threads,
                observer: Observer(kept.mapValues { [$0] }))
        }
        func handOver(step: Int) throws {
            let routing = runs.compactMap(\.routing)
            var computed: [ActivationPoint: PairedActivations] = [:]
            for point in points {
                guard let own = kept[0][point], let other = kept[1][point] else { continue }
                if own.rows > 0, other.rows > 0 {
                    var pair = PairedActivations(own: own.matrix, other: other.matrix)
                    if routing.count == 2, let expert = architecture.expert(of: point) {
                        pair = pair.common(routing[0].rows(of: expert), routing[1].rows(of: expert))
                    }
                    if pair.own.rows > 0, pair.own.rows == pair.other.rows { computed[point] = pair }
                }
                own.clear()
                other.clear()
            }
            try use(computed, Set(points.filter { ends[$0] ?? -1 == step }))
        }
        let steps = ForwardRun<Float>.steps(of: architecture)
        for stack in architecture.stacks.indices {
            for run in runs { try run.begin(stack: stack) }
            try handOver(step: -1)
            for (number, step) in steps.enumerated() where step.stack == stack {
                for run in runs { try run.apply(step) }
                try handOver(step: number)
            }
            for run in runs { try run.end(stack: stack) }
        }
    }
}

extension Model.PairedActivations {
    /// The rows of positions that both lists hold, each list in ascending order.
    fileprivate func common(_ own: [Int], _ other: [Int]) -> Self {
        let places = Dictionary(other.enumerated().map { ($1, $0) }) { first, _ in first }
        let pairs = own.enumerated().compactMap { place, row in places[row].map { (place, $0) } }
        func gathered(_ matrix: Matrix<Float>, _ rows: [Int]) -> Matrix<Float> {
            let columns = matrix.columns
            return Matrix(
                rows: rows.count, columns: columns,
                elements: rows.flatMap { matrix.elements[$0 * columns..<($0 + 1) * columns] })
        }
        guard own.count == self.own.rows, other.count == self.other.rows else { return self }
        return Self(own: gathered(self.own, pairs.map(\.0)), other: gathered(self.other, pairs.map(\.1)))
    }
}

extension RoutingDecisions {
    /// Those that go to an expert.
    fileprivate func rows(of expert: Int) -> [Int] {
        rows.indices.filter { rows[$0].experts.contains(expert) }
    }
}

extension Architecture {
    /// By point, the number of the last step that computes it, in the order in which they run; none for embeddings.
    fileprivate func lastSteps(of points: Set<ActivationPoint>) -> [ActivationPoint: Int] {
        var last: [ActivationPoint: Int] = [:]
        for (number, step) in ForwardRun<Float>.steps(of: self).enumerated() {
            let operation = stacks[step.stack].layers[step.layer].sublayers[step.sublayer].operation
            let maps = operation.projections.map(\.storedMap)
            let block = ActivationPoint.block(step, in: self)
            let computed = maps.flatMap { [ActivationPoint.input(of: $0), .output(of: $0)] }
            for point in [block] + computed where points.contains(point) { last[point] = number }
        }
        return last
    }

    /// The place in its block of the routed expert whose map a point belongs to.
    fileprivate func expert(of point: ActivationPoint) -> Int? {
        let map: ActivationPoint.StoredMap
        switch point {
        case .input(let own), .output(let own): map = own
        case .embedding, .block, .states: return nil
        }
        for layer in stacks.lazy.flatMap(\.layers) {
            for sublayer in layer.sublayers {
                guard case .experts(let block) = sublayer.operation else { continue }
                let place = block.experts.firstIndex { $0.projections.contains { $0.storedMap == map } }
                if let place { return place }
            }
        }
        return nil
    }
}
