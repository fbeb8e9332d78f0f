import Dispatch
import Synchronization

/// Memory for so many computations at a time: whoever wants more waits.
package final class ScratchPool: @unchecked Sendable {
    private let free: DispatchSemaphore
    private let lock = Mutex(())
    /// Under the lock; what is not in here has one owner.
    private var scratches: [WorkerScratch]

    package init(count: Int) {
        free = DispatchSemaphore(value: count)
        scratches = (0..<count).map { _ in WorkerScratch() }
    }

    /// Calls `body` with memory that nobody else uses meanwhile.
    package func withScratch(_ body: (WorkerScratch) throws -> Void) rethrows {
        free.wait()
        defer { free.signal() }
        let own = lock.withLock { _ in scratches.removeLast() }
        defer { lock.withLock { _ in scratches.append(own) } }
        try body(own)
    }
}
