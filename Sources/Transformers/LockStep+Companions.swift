import Architectures

extension LockStep {
    /// What runs beside the original: the protected model, and the original with its moved weights rounded once more.
    struct Companions {
        let protected: ForwardRun<Real>
        let noisy: [ForwardRun<Real>]
        let tolerance: Comparison.Tolerance

        var runs: [ForwardRun<Real>] { [protected] + noisy }

        /// Runs a step of all, and of the original first.
        func apply(_ step: ForwardRun<Real>.Step, beside original: ForwardRun<Real>) throws -> Place {
            try original.apply(step)
            return try follow(step, original)
        }

        /// Runs a step of all from where the original stood before it.
        func apply(
            _ step: ForwardRun<Real>.Step, from stream: ForwardRun<Real>.Stream, beside original: ForwardRun<Real>
        ) throws -> Place {
            for run in runs { run.stream = stream }
            return try follow(step, original)
        }

        /// The protected model goes last: what is a tie for its router, the noise says.
        private func follow(_ step: ForwardRun<Real>.Step, _ original: ForwardRun<Real>) throws -> Place {
            for twin in noisy {
                twin.guide = original.routing.map(RoutingGuide.init(following:))
                try twin.apply(step)
            }
            let place = Place(step, original, noisy, tolerance)
            protected.guide = place.guide
            try protected.apply(step)
            return place
        }

        /// A step without attention or experts that has the same weights in all: each is read once. Where streams are still the same,
        /// so are the results.
        func applyUnmoved(_ step: ForwardRun<Real>.Step, beside original: ForwardRun<Real>) throws -> Place {
            let same = runs.filter { $0.stream == original.stream }
            let others = runs.filter { $0.stream != original.stream }
            try ForwardRun.apply(step, to: [original] + others)
            for run in same { run.stream = original.stream }
            return Place(step, original, noisy, tolerance)
        }
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
