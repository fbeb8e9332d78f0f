import CKernels

/// Counts NaN and infinite values.
package enum NonFinite {
    /// `bytes` holds whole elements of a computable type; other types count as finite.
    package static func count(in bytes: UnsafeRawBufferPointer, of type: ElementType) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        switch type {
        case .bf16: return mp_nonfinite_16(base.assumingMemoryBound(to: UInt16.self), bytes.count / 2, 0x7f80)
        case .f16: return mp_nonfinite_16(base.assumingMemoryBound(to: UInt16.self), bytes.count / 2, 0x7c00)
        case .f32: return mp_nonfinite_32(base.assumingMemoryBound(to: UInt32.self), bytes.count / 4)
        case .f64: return mp_nonfinite_64(base.assumingMemoryBound(to: UInt64.self), bytes.count / 8)
        default: return 0
        }
    }
}
