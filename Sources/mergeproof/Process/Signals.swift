import Foundations
import Glibc
import Synchronization

/// Ends a run that the user or the system asks to stop: within a second, and with nothing left half-written.
///
/// While nothing is being written a signal ends the process at once. Otherwise loops see `Interruption.isRequested` and unwind; what
/// takes longer than `grace` is not waited for: a thread of its own removes what was registered and ends the process. A second signal
/// ends it there and then.
enum Signals {
    /// Microseconds that a run has to end by itself.
    private static let grace = 600_000
    /// Signals nearer to the first than this many nanoseconds are the same request: a terminal that closes and `timeout` send two.
    private static let sameRequest = 100_000_000

    /// The first signal that came; 0 before.
    private static let first = Atomic<Int32>(0)
    private static let firstAt = Atomic(0)
    private static let isWatched = Atomic(false)
    private static let showsProgress = Atomic(false)
    nonisolated(unsafe) private static let wake = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// What a shell calls an end by the signal that came: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
    static var exitCode: Int32? {
        let signal = first.load(ordering: .relaxed)
        return signal == 0 ? nil : 128 + signal
    }

    /// Whether a line on standard error has no end yet.
    static func progressIsShown(_ isShown: Bool) { showsProgress.store(isShown, ordering: .relaxed) }

    /// Takes SIGINT, SIGTERM and SIGHUP as requests to stop. A SIGHUP that the parent ignores (`nohup`) stays ignored. SIGPIPE and
    /// SIGXFSZ become errors of the calls that caused them, and SIGBUS, which a mapped file gives that shrinks while it is read,
    /// one sentence and exit code 1.
    static func listen() {
        guard !isWatched.load(ordering: .relaxed) else { return }
        // A handler must not be the first to use what is made on first use.
        _ = (exitCode, firstAt.load(ordering: .relaxed), Interruption.isRequested, Interruption.hasRemains)
        sem_init(wake, 0, 0)
        startWatching()
        // A parent may have started us with these signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            sigaddset(&signals, number)
            let former = signal(number) { Signals.received($0) }
            if number == SIGHUP, unsafeBitCast(former, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
                signal(number, SIG_IGN)
            }
        }
        sigprocmask(SIG_UNBLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        signal(SIGBUS) { _ in Signals.sourceVanished() }
    }

    // MARK: In signal handlers

    private static func received(_ number: Int32) {
        let now = nanoseconds()
        if first.compareExchange(expected: 0, desired: number, ordering: .acquiringAndReleasing).exchanged {
            Interruption.isRequested = true
            firstAt.store(now, ordering: .releasing)
            guard Interruption.hasRemains else { end(number) }
            sem_post(wake)
        } else if now - firstAt.load(ordering: .acquiring) > sameRequest {
            end(number)
        }
    }

    private static func sourceVanished() {
        // The instruction that failed would fail again: this thread waits for the end.
        first.store(SIGBUS, ordering: .releasing)
        Interruption.isRequested = true
        guard Interruption.hasRemains, isWatched.load(ordering: .acquiring) else { end(SIGBUS) }
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

    // MARK: On a thread of its own

    /// Waits for a signal, and for the run to end after it.
    private static func startWatching() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 256 << 10)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { _ in
                while sem_wait(Signals.wake) != 0 {}
                let signal = Signals.first.load(ordering: .acquiring)
                if signal != SIGBUS { usleep(UInt32(Signals.grace)) }
                Signals.cutShort(signal)
            }, nil)
        if status == 0 {
            pthread_detach(thread)
            isWatched.store(true, ordering: .releasing)
        }
    }

    private static func cutShort(_ signal: Int32) -> Never {
        // Who holds the lock is about to finish; if that takes long it hangs, and what it left the next run removes.
        for _ in 0..<20 {
            Interruption.removeRemains { end(signal) }
            usleep(10_000)
        }
        end(signal)
    }
}
