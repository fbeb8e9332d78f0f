import Synchronization

/// Hands out indices in order, until all are taken or one piece of work failed.
package final class WorkQueue: Sendable {
    private let count: Int
    private let state = Mutex<(next: Int, error: (any Error)?)>((0, nil))

    package init(count: Int) { self.count = count }

    package func next() -> Int? {
        state.withLock { state in
            guard state.error == nil, state.next < count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }

    /// The first error is kept.
    package func fail(_ error: any Error) {
        state.withLock { if $0.error == nil { $0.error = error } }
    }

    package func rethrow() throws {
        if let error = state.withLock({ $0.error }) { throw error }
    }
}
