import CSystemShims
import Glibc

/// What OpenBLAS is, and which kernels it runs: these change speed by a factor of two and the last bits of products.
public enum BLASInfo {
    /// OpenBLAS's own build string, such as `OpenBLAS 0.3.21 DYNAMIC_ARCH …`.
    ///
    /// Asked for once: OpenBLAS writes it anew into one buffer at every call, without a lock.
    public static let version: String = mp_blas_config().map { String(cString: $0) } ?? "unknown"

    /// The kernels in use, such as `Haswell` or `Cooperlake`.
    public static let coreType: String = mp_blas_core().map { String(cString: $0) } ?? "unknown"

    /// The user's pin, where there is one.
    public static var pin: String? { getenv("OPENBLAS_CORETYPE").map { String(cString: $0) } }

    /// Vector width in bits that a core type's kernels use; 0 for one we do not know.
    public static func vectorBits(ofCore name: String) -> Int {
        switch name.lowercased() {
        case "skylakex", "cooperlake", "sapphirerapids": 512
        case "haswell", "zen", "excavator": 256
        case "sandybridge", "bulldozer", "piledriver", "steamroller": 256
        case "nehalem", "core2", "penryn", "dunnington", "prescott", "barcelona", "bobcat", "atom", "katmai",
            "coppermine", "northwood", "banias", "athlon", "opteron", "opteron_sse3", "generic":
            128
        default: 0
        }
    }

    /// The widest vectors that this CPU has kernels for, by the flags the kernel reports.
    public static var cpuVectorBits: Int {
        let flags = cpuFlags
        if flags.contains("avx512f"), flags.contains("avx512bw"), flags.contains("avx512vl") { return 512 }
        return flags.contains("avx2") ? 256 : 128
    }

    /// True when a pin makes OpenBLAS run narrower kernels than the CPU could.
    public static var pinLiesBelowCPU: Bool {
        let used = vectorBits(ofCore: coreType)
        return pin != nil && used > 0 && used < cpuVectorBits
    }

    private static var cpuFlags: Set<Substring> {
        guard let file = fopen("/proc/cpuinfo", "r") else { return [] }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1 << 14)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("flags") { return Set(text.split(whereSeparator: \.isWhitespace)) }
        }
        return []
    }
}

/// How many threads OpenBLAS's own pool uses. Products inside parallel tiles run with one, so that bits do not depend on
/// how many tiles run at once.
public enum BLASThreads {
    public static var current: Int { Int(mp_blas_threads()) }

    public static func use(_ count: Int) { mp_blas_set_threads(Int32(count)) }
}
