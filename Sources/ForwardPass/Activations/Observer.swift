/// Hands activations to sinks as they are computed, on the thread that the run was started on and no other.
package struct Observer: @unchecked Sendable {
    private let sinks: [ActivationPoint: [any ActivationSink]]

    /// Nil where nothing is to be observed.
    init?(_ sinks: [ActivationPoint: [any ActivationSink]]) {
        guard !sinks.isEmpty else { return nil }
        self.sinks = sinks
    }

    func note<Real>(_ point: ActivationPoint, _ states: States<Real>) throws {
        for sink in sinks[point] ?? [] { try sink.take(states.view) }
    }
}
