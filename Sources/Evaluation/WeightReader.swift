import Checkpoints
import LinearAlgebra
import Symmetries

/// Reads weights of any floating type as f64.
struct WeightReader: Sendable {
    let checkpoint: Checkpoint

    /// Consecutive elements of a tensor in storage order.
    func values(_ tensor: TensorRecord, _ range: Range<Int>, into target: UnsafeMutablePointer<Double>) {
        guard let base = checkpoint.bytes(of: tensor).baseAddress, !range.isEmpty else { return }
        guard tensor.type.isComputable else { return target.update(repeating: .nan, count: range.count) }
        tensor.type.widen(base + range.lowerBound * tensor.type.bitWidth / 8, into: target, range.count)
    }

    /// A slice with the site's channels as rows: `length` x (the rest of the tensor).
    func matrix(_ slice: Site.Slice, length: Int) -> Matrix<Double>? {
        guard let tensor = checkpoint.tensors[slice.tensor] else { return nil }
        let (rows, columns) = tensor.matrixShape
        let band = slice.across ?? 0..<rows
        guard slice.width == 1, slice.start + length <= (slice.axis == 0 ? rows : columns), band.upperBound <= rows
        else { return nil }
        if slice.axis == 0 {
            let elements = [Double](unsafeUninitializedCapacity: length * columns) { buffer, count in
                if let base = buffer.baseAddress {
                    values(tensor, slice.start * columns..<(slice.start + length) * columns, into: base)
                }
                count = length * columns
            }
            return Matrix(rows: length, columns: columns, elements: elements)
        }
        let elements = [Double](unsafeUninitializedCapacity: band.count * length) { buffer, count in
            for (number, row) in band.enumerated() {
                guard let base = buffer.baseAddress else { break }
                let start = row * columns + slice.start
                values(tensor, start..<start + length, into: base + number * length)
            }
            count = band.count * length
        }
        return Matrix(rows: band.count, columns: length, elements: elements).transposed
    }

    /// All slices of one part side by side: the weight and its bias as the columns of `[W | b]`.
    func part(_ part: Site.Part, of site: Site) -> Matrix<Double>? {
        let length = site.group.dimension
        var pieces: [Matrix<Double>] = []
        for slice in site.slices where slice.part == part {
            guard let piece = matrix(slice, length: length) else { return nil }
            pieces.append(piece)
        }
        guard pieces.count > 1 else { return pieces.first }
        var joined: [Double] = []
        for row in 0..<length {
            for piece in pieces { joined += piece.elements[row * piece.columns..<(row + 1) * piece.columns] }
        }
        return Matrix(rows: length, columns: pieces.reduce(0) { $0 + $1.columns }, elements: joined)
    }
}
