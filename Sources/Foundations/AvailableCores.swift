import CSystemShims
import Glibc

extension WorkerThreads {
    /// Cores that this process may use: those it may be scheduled on, and no more than its control group's share of time.
    package static var availableCores: Int {
        let affinity = Int(mp_affinity_count())
        let cores = affinity > 0 ? affinity : Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return max(1, min(cores, quota() ?? cores))
    }

    /// Bytes of memory that the machine has.
    package static var physicalMemory: Int { Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))) }

    /// The least `quota / period` of cpu.max on the way from a control group up to the root, rounded up.
    package static func quota(root: String = "/sys/fs/cgroup", membership: String = "/proc/self/cgroup") -> Int? {
        let lines = text(membership)?.split(separator: "\n") ?? []
        guard let line = lines.first(where: { $0.hasPrefix("0::") }) else { return nil }
        var folders = line.dropFirst(3).split(separator: "/")
        var least: Int?
        while true {
            let folder = ([root] + folders.map(String.init)).joined(separator: "/")
            let words = text(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
            if words.count == 2, let time = Int(words[0]), let period = Int(words[1]), time > 0, period > 0 {
                let cores = (time - 1) / period + 1
                least = min(least ?? cores, cores)
            }
            guard folders.popLast() != nil else { return least }
        }
    }

    private static func text(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
