import Glibc

/// What this process has taken of the machine.
enum ProcessUsage {
    /// Seconds that the calling thread has computed: what others do meanwhile does not count.
    static var threadSeconds: Double { seconds(CLOCK_THREAD_CPUTIME_ID) }
    /// The same of all threads together.
    static var processSeconds: Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

    /// Memory that it holds now, mapped pages included.
    static var residentBytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
}
