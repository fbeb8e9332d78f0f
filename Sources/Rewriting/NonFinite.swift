import CKernels
import Checkpoints

/// Counts NaN and infinite values.
package enum NonFinite {
    /// `bytes` holds whole elements of a computable type; other types count as finite.
    package static func count(in bytes: UnsafeRawBufferPointer, of type: ElementType) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        switch type {
        case .bf16: return BF16Storage.nonFinite(base.assumingMemoryBound(to: UInt16.self), bytes.count / 2)
        case .f16: return F16Storage.nonFinite(base.assumingMemoryBound(to: UInt16.self), bytes.count / 2)
        case .f32: return F32Storage.nonFinite(base.assumingMemoryBound(to: Float.self), bytes.count / 4)
        case .f64: return F64Storage.nonFinite(base.assumingMemoryBound(to: Double.self), bytes.count / 8)
        default: return 0
        }
    }
}
