import Checkpoints
import Symmetries

/// A 64-bit hash per channel over the stored bits of some slices.
struct ChannelHashes {
    private(set) var values: [UInt64]

    /// - Parameter significandOnly: leave out sign and exponent, which ± powers of two change.
    init?(_ checkpoint: Checkpoint, _ slices: [Site.Slice], _ count: Int, significandOnly: Bool) {
        values = [UInt64](repeating: 0xcbf2_9ce4_8422_2325, count: count)
        for slice in slices {
            guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable else { return nil }
            let (rows, columns) = tensor.matrixShape
            guard slice.start + count * slice.width <= (slice.axis == 0 ? rows : columns),
                slice.across?.upperBound ?? 0 <= rows
            else { return nil }
            let bytes = checkpoint.bytes(of: tensor)
            switch tensor.type {
            case .bf16: mix(bytes, UInt16.self, slice, rows, columns, significandOnly ? 0x7f : .max)
            case .f16: mix(bytes, UInt16.self, slice, rows, columns, significandOnly ? 0x3ff : .max)
            case .f32: mix(bytes, UInt32.self, slice, rows, columns, significandOnly ? 0x7fffff : .max)
            default: mix(bytes, UInt64.self, slice, rows, columns, significandOnly ? (1 << 52) - 1 : .max)
            }
        }
    }

    private mutating func mix<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ type: Bits.Type, _ slice: Site.Slice, _ rows: Int, _ columns: Int,
        _ mask: Bits
    ) {
        let size = MemoryLayout<Bits>.size
        let count = values.count * slice.width
        let (outer, inner) = slice.axis == 0 ? (0..<count, columns) : (slice.across ?? 0..<rows, count)
        values.withUnsafeMutableBufferPointer { values in
            for i in outer {
                let start = slice.axis == 0 ? (slice.start + i) * columns : i * columns + slice.start
                for j in 0..<inner {
                    let bits = bytes.loadUnaligned(fromByteOffset: (start + j) * size, as: Bits.self) & mask
                    let channel = (slice.axis == 0 ? i : j) / slice.width
                    let mixed = (values[channel] ^ UInt64(truncatingIfNeeded: bits)) &* 0x9e37_79b9_7f4a_7c15
                    values[channel] = mixed ^ (mixed >> 29)
                }
            }
        }
    }

    /// For each channel of `other` the channel here with the same hash. Where several share it, `tieBreaker` gives finer hashes.
    /// Nil when the two are not permutations of each other.
    func match(_ other: ChannelHashes, tieBreaker: () -> (ChannelHashes, ChannelHashes)?) -> [Int]? {
        if Set(values).count == values.count {
            let place = Dictionary(uniqueKeysWithValues: values.enumerated().map { ($1, $0) })
            let source = other.values.compactMap { place[$0] }
            return Set(source).count == values.count ? source : nil
        }
        guard let (mine, theirs) = tieBreaker() else { return nil }
        struct Pair: Hashable {
            let first: UInt64
            let second: UInt64
        }
        var places: [Pair: [Int]] = [:]
        for channel in values.indices.reversed() {
            places[Pair(first: values[channel], second: mine.values[channel]), default: []].append(channel)
        }
        var source: [Int] = []
        for channel in other.values.indices {
            let pair = Pair(first: other.values[channel], second: theirs.values[channel])
            guard let place = places[pair]?.popLast() else { return nil }
            source.append(place)
        }
        return source
    }
}
