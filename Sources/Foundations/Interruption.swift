import Glibc
import Synchronization

/// Ends a run that the user or the system asks to stop: within a second, and with nothing left half-written.
///
/// While nothing is being written a signal ends the process at once. Otherwise loops see `isRequested` and unwind; what takes
/// longer than `grace` is not waited for: a thread of its own removes what was registered and ends the process. A second signal
/// ends it there and then.
public enum Interruption {
    /// Microseconds that a run has to end by itself.
    private static let grace = 600_000
    /// Signals nearer to the first than this many nanoseconds are the same request: a terminal that closes and `timeout` send two.
    private static let sameRequest = 100_000_000

    /// The first signal that came; 0 before.
    private static let requested = Atomic<Int32>(0)
    private static let requestedAt = Atomic(0)
    private static let hasRemains = Atomic(false)
    private static let isWatched = Atomic(false)
    private static let showsProgress = Atomic(false)
    private static let remains = Mutex<(next: Int, cleanups: [Int: @Sendable () -> Void])>((0, [:]))
    nonisolated(unsafe) private static let wake = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    public static var isRequested: Bool { requested.load(ordering: .relaxed) != 0 }

    /// What a shell calls an end by the signal that came: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
    public static var exitCode: Int32? {
        let signal = requested.load(ordering: .relaxed)
        return signal == 0 ? nil : 128 + signal
    }

    /// For loops that run long.
    package static func check() throws(Interrupted) {
        if isRequested { throw Interrupted() }
    }

    /// Whether a line on standard error has no end yet.
    public static func progressIsShown(_ isShown: Bool) { showsProgress.store(isShown, ordering: .relaxed) }

    /// Takes SIGINT, SIGTERM and SIGHUP as requests to stop. A SIGHUP that the parent ignores (`nohup`) stays ignored. SIGPIPE and
    /// SIGXFSZ become errors of the calls that caused them, and SIGBUS, which a mapped file gives that shrinks while it is read,
    /// one sentence and exit code 1.
    public static func listen() {
        guard !isWatched.load(ordering: .relaxed) else { return }
        _ = (isRequested, hasRemains.load(ordering: .relaxed), requestedAt.load(ordering: .relaxed))
        sem_init(wake, 0, 0)
        startWatching()
        // A parent may have started us with these signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            sigaddset(&signals, number)
            let former = signal(number) { Interruption.received($0) }
            if number == SIGHUP, unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
                signal(number, SIG_IGN)
            }
        }
        sigprocmask(SIG_UNBLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        signal(SIGBUS) { _ in Interruption.sourceVanished() }
    }

    // MARK: In signal handlers

    private static func received(_ number: Int32) {
        let now = nanoseconds()
        if requested.compareExchange(expected: 0, desired: number, ordering: .acquiringAndReleasing).exchanged {
            requestedAt.store(now, ordering: .releasing)
            guard hasRemains.load(ordering: .acquiring) else { end(number) }
            sem_post(wake)
        } else if now - requestedAt.load(ordering: .acquiring) > sameRequest {
            end(number)
        }
    }

    private static func sourceVanished() {
        // The instruction that failed would fail again: this thread waits for the end.
        requested.store(SIGBUS, ordering: .releasing)
        guard hasRemains.load(ordering: .acquiring), isWatched.load(ordering: .acquiring) else { end(SIGBUS) }
        sem_post(wake)
        while true { pause() }
    }

    private static func end(_ signal: Int32) -> Never {
        if showsProgress.load(ordering: .relaxed) { say("\n") }
        if signal == SIGBUS {
            say("mergeproof: the source changed while it was being read; run again when nobody writes to it\n")
            _exit(1)
        }
        say("mergeproof: interrupted\n")
        _exit(128 + signal)
    }

    private static func say(_ text: StaticString) { _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount) }

    private static func nanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    }

    // MARK: What must not be left behind

    /// Something that exists only while this run works.
    package struct Remains: Sendable {
        fileprivate let number: Int
    }

    /// - Parameter cleanup: removes it; may run on another thread while this run still works on it, when the run is cut short.
    package static func register(_ cleanup: @escaping @Sendable () -> Void) -> Remains {
        remains.withLock { remains in
            remains.next += 1
            remains.cleanups[remains.next] = cleanup
            hasRemains.store(true, ordering: .releasing)
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
            hasRemains.store(!remains.cleanups.isEmpty, ordering: .releasing)
        }
    }

    /// Forgets the cleanup of what is gone.
    package static func forget(_ gone: Remains) {
        remains.withLock { remains in
            remains.cleanups[gone.number] = nil
            hasRemains.store(!remains.cleanups.isEmpty, ordering: .releasing)
        }
    }

    /// Waits for a signal on a thread of its own, and for the run to end after it.
    private static func startWatching() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 256 << 10)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { _ in
                while sem_wait(Interruption.wake) != 0 {}
                let signal = Interruption.requested.load(ordering: .acquiring)
                if signal != SIGBUS { usleep(UInt32(Interruption.grace)) }
                Interruption.cutShort(signal)
            }, nil)
        if status == 0 {
            pthread_detach(thread)
            isWatched.store(true, ordering: .releasing)
        }
    }

    private static func cutShort(_ signal: Int32) -> Never {
        // Who holds the lock is about to finish; if that takes long it hangs, and what it left the next run removes.
        for _ in 0..<20 {
            remains.withLockIfAvailable { remains in
                for cleanup in remains.cleanups.values { cleanup() }
                end(signal)
            }
            usleep(10_000)
        }
        end(signal)
    }
}
