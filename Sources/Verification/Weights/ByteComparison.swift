import Glibc

/// True when two runs of bytes are equal.
func same(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let first = a.baseAddress, let second = b.baseAddress else { return true }
    return memcmp(first, second, a.count) == 0
}

extension SliceView {
    /// True when both hold the same bytes.
    func isSame(as other: SliceView) -> Bool {
        var (own, others) = (window, other.window)
        return (0..<runCount).allSatisfy { number in
            defer {
                own.didRead(runBytes)
                others.didRead(runBytes)
            }
            return memcmp(run(number), other.run(number), runBytes) == 0
        }
    }
}
