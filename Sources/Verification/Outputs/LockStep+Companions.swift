import Architectures
import ForwardPass

extension LockStep {
    /// What runs beside the original: the protected model, and the original with its moved weights rounded once more.
    struct Companions {
        let protected: ForwardRun<Real>
        let noisy: [ForwardRun<Real>]
        let tolerance: Comparison.DriftTolerance
        let arrangement: Rearrangement

        var runs: [ForwardRun<Real>] { [protected] + noisy }

        /// A step without attention or experts that has the same weights in all: each is read once.
        func applyUnmoved(_ step: ForwardRun<Real>.Step, beside original: ForwardRun<Real>) throws -> Place {
            try ForwardRun.apply(step, to: [original] + runs)
            return Place(step, original, self)
        }
    }

    /// Runs a step of the original, then of those that go through all its layers and of those that start from where it stood: a run of
    /// either kind and its twin read their weights once. The protected model goes last: what is a tie for its router, the noise says.
    static func apply(
        _ step: ForwardRun<Real>.Step, to original: ForwardRun<Real>, _ through: Companions, _ alone: Companions
    ) throws -> (through: Place, alone: Place) {
        for run in alone.noisy { run.stream = original.stream }
        alone.protected.stream = original.stream.arranged { alone.arrangement.arranged($0, stack: step.stack) }
        try original.apply(step)
        let guide = original.routing.map(RoutingGuide.init(following:))
        for (twin, other) in zip(through.noisy, alone.noisy) {
            (twin.guide, other.guide) = (guide, guide)
            try ForwardRun.apply(step, to: [twin, other])
        }
        let places = (
            Place(step, original, through), Place(step, original, alone)
        )
        (through.protected.guide, alone.protected.guide) = (places.0.guideOfProtected, places.1.guideOfProtected)
        try ForwardRun.apply(step, to: [through.protected, alone.protected])
        return places
    }

    /// The residual stream behind one block, and its router's decisions, of the original and of its rounded twins: what others are
    /// held against there.
    struct Place {
        let step: ForwardRun<Real>.Step
        let name: String
        /// The original's decisions, with what is a tie among them.
        private let guide: RoutingGuide?
        /// The block whose router they are.
        private let block: String
        private let arrangement: Rearrangement
        private let states: States<Real>
        private let tolerance: Comparison.DriftTolerance
        private let floor: NoiseLevel
        private let routingFloor: NoiseLevel

        init(
            _ step: ForwardRun<Real>.Step, _ original: ForwardRun<Real>, _ companions: Companions
        ) {
            let (noisy, tolerance) = (companions.noisy, companions.tolerance)
            let (states, routing) = (original.states, original.routing)
            let routings = noisy.compactMap(\.routing)
            self.step = step
            self.tolerance = tolerance
            arrangement = companions.arrangement
            block =
                original.architecture.stacks[step.stack].layers[step.layer].sublayers[step.sublayer].operation.blockName
            self.states = states
            name = ForwardRun<Real>.name(of: step, in: original.architecture)
            floor = NoiseLevel(noisy.map { states.distance(to: $0.states) })
            routingFloor = NoiseLevel(routings.compactMap { routing?.distance(to: $0) })
            guide = routing.map { RoutingGuide($0, noisy: routings, tolerance: tolerance) }
        }

        /// The original's decisions as the protected model's router is to follow them.
        var guideOfProtected: RoutingGuide? { arrangement.arranged(guide, block: block) }

        private func distance(_ run: ForwardRun<Real>) -> Double {
            states.distance(to: arrangement.restored(run.states, stack: step.stack))
        }

        /// - Parameter run: of the protected model, as in what follows.
        func drift(_ run: ForwardRun<Real>) -> Comparison.Layer.Drift {
            .init(drift: distance(run), floor: floor.level)
        }

        func layer(_ run: ForwardRun<Real>, own: Comparison.Layer.Drift?) -> Comparison.Layer {
            let stream = drift(run)
            return .init(name: name, drift: stream.drift, floor: stream.floor, own: own)
        }

        /// Whether a run under `guide` is where rounding could have brought the original: its stream, and what its router ranks.
        func isRounding(_ run: ForwardRun<Real>) -> Bool {
            guard tolerance.allows(distance(run), floor: floor.high) else { return false }
            guard let guide, let routing = arrangement.restored(run.routing, block: block) else { return true }
            return routing.count(.overturned) == 0
                && tolerance.allows(guide.decisions.distance(to: routing), floor: routingFloor.high)
        }
    }
}
