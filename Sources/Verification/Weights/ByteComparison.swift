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
        (0..<runCount).allSatisfy { memcmp(run($0), other.run($0), runBytes) == 0 }
    }
}
