import CKernels

extension ElementType {
    /// Stores `count` values of f32 in this type, each rounded once to nearest even; what is too large for the type becomes infinite.
    ///
    /// - Precondition: `isComputable`; the target need not be aligned.
    package func narrow(_ source: UnsafePointer<Float>, into target: UnsafeMutableRawPointer, _ count: Int) {
        switch self {
        case .bf16: mp_f32_to_bf16(target.assumingMemoryBound(to: UInt16.self), source, count)
        case .f16: mp_f32_to_f16(target.assumingMemoryBound(to: UInt16.self), source, count)
        case .f64: mp_f32_to_f64(target.assumingMemoryBound(to: Double.self), source, count)
        default: target.copyMemory(from: source, byteCount: 4 * count)
        }
    }
}
