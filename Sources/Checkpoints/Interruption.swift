import Glibc
import Synchronization

/// Lets a writer stop in good order when the process is asked to end: it removes what it wrote.
public enum Interruption {
    private static let requested = Atomic(false)

    public static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Takes SIGINT and SIGTERM as a request to stop, and turns SIGBUS, which a mapped file gives that shrinks while it is
    /// read, into one sentence and exit code 1. What such a run leaves is removed by the next run for the same output.
    public static func listen() {
        // A parent may have started us with these signals blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] {
            signal(number) { _ in Interruption.requested.store(true, ordering: .relaxed) }
            sigaddset(&signals, number)
        }
        sigprocmask(SIG_UNBLOCK, &signals, nil)
        signal(SIGBUS) { _ in
            let message: StaticString =
                "mergeproof: the source changed while it was being read; run again when nobody writes to it\n"
            _ = write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
            _exit(1)
        }
    }
}
