import Checkpoints
import Glibc
import Symmetries

/// True when two runs of bytes are equal.
func same(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let first = a.baseAddress, let second = b.baseAddress else { return true }
    return memcmp(first, second, a.count) == 0
}

extension WeightReader {
    /// True when a slice holds the same bytes in both checkpoints.
    func isSame(_ slice: Site.Slice, length: Int, in other: WeightReader) -> Bool {
        guard let a = checkpoint.tensors[slice.tensor], let b = other.checkpoint.tensors[slice.tensor],
            a.type == b.type, a.shape == b.shape
        else { return false }
        let (rows, columns) = a.matrixShape
        let size = a.type.bitWidth / 8
        let length = length * slice.width
        let (first, second) = (checkpoint.bytes(of: a), other.checkpoint.bytes(of: b))
        func same(_ range: Range<Int>) -> Bool {
            let bytes = range.lowerBound * size..<range.upperBound * size
            guard bytes.upperBound <= first.count else { return false }
            return Evaluation.same(
                UnsafeRawBufferPointer(rebasing: first[bytes]), UnsafeRawBufferPointer(rebasing: second[bytes]))
        }
        if slice.axis == 0 { return same(slice.start * columns..<(slice.start + length) * columns) }
        return (slice.across ?? 0..<rows).allSatisfy { row in
            same(row * columns + slice.start..<row * columns + slice.start + length)
        }
    }
}
