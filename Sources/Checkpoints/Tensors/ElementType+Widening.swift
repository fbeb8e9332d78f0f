import CKernels

extension ElementType {
    /// Reads `count` values of this type as f32: exact, but for f64, which is rounded to nearest even.
    ///
    /// - Precondition: `isComputable`; the source need not be aligned.
    package func widen(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>, _ count: Int) {
        switch self {
        case .bf16: mp_bf16_to_f32(target, source.assumingMemoryBound(to: UInt16.self), count)
        case .f16: mp_f16_to_f32(target, source.assumingMemoryBound(to: UInt16.self), count)
        case .f64: mp_f64_to_f32(target, source.assumingMemoryBound(to: Double.self), count)
        default: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 4 * count)
        }
    }

    /// All values in some bytes as f64, exactly.
    ///
    /// - Precondition: `isComputable`.
    package func doubles(in bytes: UnsafeRawBufferPointer) -> [Double] {
        let count = bytes.count * 8 / bitWidth
        return [Double](unsafeUninitializedCapacity: count) { buffer, filled in
            if let from = bytes.baseAddress, let to = buffer.baseAddress { widen(from, into: to, count) }
            filled = bytes.baseAddress == nil ? 0 : count
        }
    }

    /// Reads `count` values of this type as f64, exactly.
    ///
    /// - Precondition: `isComputable`; the source need not be aligned.
    package func widen(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Double>, _ count: Int) {
        switch self {
        case .f64: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 8 * count)
        case .f32: mp_f32_to_f64(target, source.assumingMemoryBound(to: Float.self), count)
        default:
            withUnsafeTemporaryAllocation(of: Float.self, capacity: max(count, 1)) { buffer in
                guard let floats = buffer.baseAddress else { return }
                widen(source, into: floats, count)
                mp_f32_to_f64(target, floats, count)
            }
        }
    }
}
