import Checkpoints

/// Where lines across a slice stand in storage, and which of them are stored with the other sign.
struct LineMap: Sendable {
    let indices: [Int32]
    let isNegative: [Bool]

    /// Whether it names places of an axis, as many as there are lines.
    func isInside(_ extent: Int, count: Int) -> Bool {
        indices.count == count && indices.allSatisfy { (0..<extent).contains(Int($0)) }
    }
}

/// Memory for one run of weights that do not lie in storage as they are looked at.
final class LineBuffer {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit { memory.deallocate() }

    /// `out[i] = ± stored[map[i]]`.
    func gather(
        _ stored: UnsafeRawPointer, _ type: ElementType, _ map: LineMap?, count: Int, isNegative: Bool
    ) -> UnsafeRawPointer {
        let bytes = max(count * type.bitWidth / 8, 1)
        if memory.count < bytes {
            memory.deallocate()
            memory = .allocate(byteCount: bytes, alignment: 64)
        }
        switch type.bitWidth {
        case 16: fill(stored, map, count, isNegative, sign: UInt16(1) << 15)
        case 32: fill(stored, map, count, isNegative, sign: UInt32(1) << 31)
        default: fill(stored, map, count, isNegative, sign: UInt64(1) << 63)
        }
        return UnsafeRawPointer(memory.baseAddress ?? UnsafeMutableRawPointer(mutating: stored))
    }

    private func fill<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ stored: UnsafeRawPointer, _ map: LineMap?, _ count: Int, _ isNegative: Bool, sign: Bits
    ) {
        let width = MemoryLayout<Bits>.size
        for i in 0..<count {
            let value = stored.loadUnaligned(
                fromByteOffset: (map.map { Int($0.indices[i]) } ?? i) * width, as: Bits.self)
            let isTurned = isNegative != (map?.isNegative[i] ?? false)
            memory.storeBytes(of: isTurned ? value ^ sign : value, toByteOffset: i * width, as: Bits.self)
        }
    }
}
