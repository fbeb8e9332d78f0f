import Checkpoints
import Foundations
import Glibc

/// Why the program cannot run here.
enum ToolError: Error, Equatable, CustomStringConvertible {
    case addressSpace(limit: Int, needed: Int)

    var description: String {
        switch self {
        case .addressSpace(let limit, let needed):
            "the limit on address space is \(ByteSize.format(limit)), of which \(ByteSize.format(needed)) must be free for matrix products; raise it (ulimit -v) or use fewer --threads"
        }
    }
}

/// OpenBLAS takes a buffer for every thread that multiplies, and where a limit denies it asks again for ever: so we ask first.
enum AddressSpace {
    private static let buffer = 136 << 20
    private static let margin = 256 << 20

    static func require(threads: Int?) throws(ToolError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else {
            return
        }
        let needed = (WorkerThreads.count(threads) + WorkerThreads.availableCores + 1) * buffer + margin
        let base = mmap(nil, needed, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard base != MAP_FAILED else {
            throw .addressSpace(limit: Int(clamping: limit.rlim_cur), needed: needed)
        }
        munmap(base, needed)
    }
}

/// Opens a model that an argument names, in the Hugging Face cache too.
func openModel(_ name: String, including patterns: [String] = []) throws -> Checkpoint {
    try Checkpoint(opening: try HubCache.resolve(name), including: patterns)
}
