import Architectures

extension LockStep {
    /// What runs beside the original: the protected model, and the original with its moved weights rounded once more.
    struct Companions {
        let protected: ForwardRun<Real>
        let noisy: [ForwardRun<Real>]
        let tolerance: Comparison.Tolerance

        var runs: [ForwardRun<Real>] { [protected] + noisy }

        /// A step without attention or experts that has the same weights in all: each is read once.
        func applyUnmoved(_ step: ForwardRun<Real>.Step, beside original: ForwardRun<Real>) throws -> Place {
            try ForwardRun.apply(step, to: [original] + runs)
            return Place(step, original, noisy, tolerance)
        }
    }

    /// Runs a step of the original, then of those that go through all its layers and of those that start from where it stood: a run of
    /// either kind and its twin read their weights once. The protected model goes last: what is a tie for its router, the noise says.
    static func apply(
        _ step: ForwardRun<Real>.Step, to original: ForwardRun<Real>, _ through: Companions, _ alone: Companions
    ) throws -> (through: Place, alone: Place) {
        for run in alone.runs { run.stream = original.stream }
        try original.apply(step)
        let guide = original.routing.map(RoutingGuide.init(following:))
        for (twin, other) in zip(through.noisy, alone.noisy) {
            (twin.guide, other.guide) = (guide, guide)
            try ForwardRun.apply(step, to: [twin, other])
        }
        let places = (
            Place(step, original, through.noisy, through.tolerance), Place(step, original, alone.noisy, alone.tolerance)
        )
        (through.protected.guide, alone.protected.guide) = (places.0.guide, places.1.guide)
        try ForwardRun.apply(step, to: [through.protected, alone.protected])
        return places
    }

    /// The residual stream behind one block, and its router's decisions, of the original and of its rounded twins: what others are
    /// held against there.
    struct Place {
        let step: ForwardRun<Real>.Step
        let name: String
        /// The original's decisions, with what is a tie among them.
        let guide: RoutingGuide?
        private let states: States<Real>
        private let tolerance: Comparison.Tolerance
        private let floor: NoiseLevel
        private let routingFloor: NoiseLevel

        init(
            _ step: ForwardRun<Real>.Step, _ original: ForwardRun<Real>, _ noisy: [ForwardRun<Real>],
            _ tolerance: Comparison.Tolerance
        ) {
            let (states, routing) = (original.states, original.routing)
            let routings = noisy.compactMap(\.routing)
            self.step = step
            self.tolerance = tolerance
            self.states = states
            name = ForwardRun<Real>.name(of: step, in: original.architecture)
            floor = NoiseLevel(noisy.map { states.distance(to: $0.states) })
            routingFloor = NoiseLevel(routings.compactMap { routing?.distance(to: $0) })
            guide = routing.map { RoutingGuide($0, noisy: routings, tolerance: tolerance) }
        }

        func drift(_ run: ForwardRun<Real>) -> Comparison.Layer.Drift {
            .init(drift: states.distance(to: run.states), floor: floor.level)
        }

        func layer(_ run: ForwardRun<Real>, own: Comparison.Layer.Drift?) -> Comparison.Layer {
            let stream = drift(run)
            return .init(name: name, drift: stream.drift, floor: stream.floor, own: own)
        }

        /// Whether a run under `guide` is where rounding could have brought the original: its stream, and what its router ranks.
        func isRounding(_ run: ForwardRun<Real>) -> Bool {
            guard tolerance.allows(states.distance(to: run.states), floor: floor.high) else { return false }
            guard let guide, let routing = run.routing else { return true }
            return routing.count(.overturned) == 0
                && tolerance.allows(guide.decisions.distance(to: routing), floor: routingFloor.high)
        }
    }
}
