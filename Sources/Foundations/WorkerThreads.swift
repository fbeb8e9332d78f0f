import Glibc

/// Plain threads for work that blocks in system calls, which Swift's cooperative pool is not made for.
package enum WorkerThreads {
    private final class Job {
        let body: @Sendable (Int) -> Void
        let index: Int

        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.index = index
            self.body = body
        }
    }

    /// Runs `body(0)` … `body(count - 1)` side by side and returns when all have returned. When the system gives fewer threads
    /// the rest runs here.
    package static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        var threads: [pthread_t] = []
        var inline: [Int] = [0]
        for index in stride(from: 1, to: count, by: 1) {
            var thread = pthread_t()
            let job = Unmanaged.passRetained(Job(index, body))
            let status = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
                    job.body(job.index)
                    return nil
                }, job.toOpaque())
            if status == 0 {
                threads.append(thread)
            } else {
                job.release()
                inline.append(index)
            }
        }
        for index in inline { body(index) }
        for thread in threads { pthread_join(thread, nil) }
    }

    /// More threads than this serve nobody.
    package static let most = 1024

    /// The number of threads to use where `wanted` were asked for, or all cores where none was.
    package static func count(_ wanted: Int?) -> Int { min(max(wanted ?? availableCores, 1), most) }

    /// Calls `body` for 0 ..< count, spread over `threads` workers that take the next index when they are free. The first error
    /// stops the rest and is thrown, and so does a request to stop.
    package static func forEach(
        _ count: Int, threads: Int, _ body: @escaping @Sendable (Int, WorkerScratch) throws -> Void
    ) throws {
        let queue = WorkQueue(count: count)
        run(min(self.count(threads), max(count, 1))) { _ in
            let scratch = WorkerScratch()
            while let index = queue.next() {
                do {
                    try Interruption.check()
                    try body(index, scratch)
                } catch { queue.fail(error) }
            }
        }
        try queue.rethrow()
    }
}
