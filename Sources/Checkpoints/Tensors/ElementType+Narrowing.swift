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

    /// The same of f64; 16-bit types are rounded by way of f32, which may turn the last bit of what lies within 2^-24 of half way.
    package func narrow(_ source: UnsafePointer<Double>, into target: UnsafeMutableRawPointer, _ count: Int) {
        switch self {
        case .f64: target.copyMemory(from: source, byteCount: 8 * count)
        case .f32: mp_f64_to_f32(target.assumingMemoryBound(to: Float.self), source, count)
        default:
            withUnsafeTemporaryAllocation(of: Float.self, capacity: max(count, 1)) { buffer in
                guard let floats = buffer.baseAddress else { return }
                mp_f64_to_f32(floats, source, count)
                narrow(floats, into: target, count)
            }
        }
    }
}
