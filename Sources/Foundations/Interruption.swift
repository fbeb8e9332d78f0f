import Synchronization

/// A request to end all runs of this process early, and what they must not leave behind.
///
/// Whoever wants them to stop sets `isRequested`: the loops of every run look at it, unwind and remove what they began to write. A
/// program that cannot wait for that, as in its last second after a signal, removes it from another thread by `removeRemains`.
public enum Interruption {
    private static let requested = Atomic(false)
    private static let remainsExist = Atomic(false)
    private static let remains = Mutex<(next: Int, cleanups: [Int: @Sendable () -> Void])>((0, [:]))

    /// Whether runs are to stop; may be set in a signal handler, once it was read outside of one.
    public static var isRequested: Bool {
        get { requested.load(ordering: .relaxed) }
        set { requested.store(newValue, ordering: .releasing) }
    }

    /// For loops that run long.
    package static func check() throws(Interrupted) {
        if isRequested { throw Interrupted() }
    }

    // MARK: What must not be left behind

    /// Something that exists only while this run works.
    package struct Remains: Sendable {
        fileprivate let number: Int
    }

    /// Whether a run has registered something; as `isRequested`, for signal handlers too.
    package static var hasRemains: Bool { remainsExist.load(ordering: .acquiring) }

    /// - Parameter cleanup: removes it; may run on another thread while this run still works on it, when the run is cut short.
    package static func register(_ cleanup: @escaping @Sendable () -> Void) -> Remains {
        remains.withLock { remains in
            remains.next += 1
            remains.cleanups[remains.next] = cleanup
            remainsExist.store(true, ordering: .releasing)
            return Remains(number: remains.next)
        }
    }

    /// Runs the last step, after which nothing is half-done any more, and forgets the cleanup. The two cannot meet.
    package static func settle<Failure: Error>(
        _ settled: Remains, _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        try remains.withLock { remains throws(Failure) in
            try body()
            remains.cleanups[settled.number] = nil
            remainsExist.store(!remains.cleanups.isEmpty, ordering: .releasing)
        }
    }

    /// Forgets the cleanup of what is gone.
    package static func forget(_ gone: Remains) {
        remains.withLock { remains in
            remains.cleanups[gone.number] = nil
            remainsExist.store(!remains.cleanups.isEmpty, ordering: .releasing)
        }
    }

    /// Removes everything that is registered, unless a run is just settling, and then runs `body`, before which no run goes on to
    /// register or settle.
    package static func removeRemains(then body: () -> Void) {
        remains.withLockIfAvailable { remains in
            for cleanup in remains.cleanups.values { cleanup() }
            body()
        }
    }
}
