import Foundations

/// Random numbers by their place: any run of them, in any order and from any thread, is the same.
///
/// The finalizer of SplitMix64 over `key + place · golden`; the key is a hash (FNV-1a, finalized) of seed, name and stream.
struct CounterRandom: Sendable {
    private static let golden: UInt64 = 0x9e37_79b9_7f4a_7c15
    private let key: UInt64

    init(seed: UInt64, name: String, stream: Int) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        key = Self.mixed(Self.mixed(hash ^ Self.mixed(seed)) &+ UInt64(truncatingIfNeeded: stream) &* Self.golden)
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// In [0, 1), with 24 bits.
    @inline(__always)
    func uniform(at place: Int) -> Float {
        Float(Self.mixed(key &+ UInt64(truncatingIfNeeded: place) &* Self.golden) >> 40) * 0x1p-24
    }
}
