import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// The inner products of the channels of two models at a site, each of all that the channel is made of, in f32: entry (a, b) is
/// channel a's of the first with channel b's of the second.
struct ChannelProducts {
    /// Values of all channels that are read at a time.
    private static let values = 1 << 19

    private(set) var matrix: Matrix<Float>
    /// Values of each channel that are multiplied.
    private var done = 0

    /// - Parameter progress: called now and then with the values of each channel that are multiplied, of all; what it throws ends the work.
    init(
        at site: Site, of first: Checkpoint, and second: Checkpoint, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws {
        matrix = Matrix(rows: site.group.dimension, columns: site.group.dimension, repeating: 0)
        let all = site.slices.reduce(0) { sum, slice in
            guard let shape = first.tensors[slice.tensor]?.matrixShape else { return sum }
            return sum + slice.width * (slice.axis == 0 ? shape.columns : slice.across?.count ?? shape.rows)
        }
        func report(_ done: Int) throws { try progress(min(done, all), all) }
        for slice in site.slices {
            guard let one = Stored(slice, in: first), let other = Stored(slice, in: second) else { continue }
            try slice.axis == 0 ? addRows(slice, one, other, report) : addColumns(slice, one, other, report)
            first.releasePages(of: one.tensor)
            second.releasePages(of: other.tensor)
        }
    }

    /// One tensor, held while it is read.
    private struct Stored {
        let tensor: TensorRecord
        let content: TensorContent

        init?(_ slice: Site.Slice, in checkpoint: Checkpoint) {
            guard let tensor = checkpoint.tensors[slice.tensor], tensor.type.isComputable else { return nil }
            (self.tensor, content) = (tensor, checkpoint.content(of: tensor))
        }

        func widen(at index: Int, _ count: Int, into target: UnsafeMutablePointer<Float>) {
            guard let bytes = content.bytes.baseAddress else { return }
            tensor.type.widen(bytes + index * tensor.type.bitWidth / 8, into: target, count)
        }
    }

    /// Channels that are runs of rows.
    private mutating func addRows(
        _ slice: Site.Slice, _ first: Stored, _ second: Stored, _ report: (Int) throws -> Void
    ) throws {
        let (n, columns) = (matrix.rows, first.tensor.matrixShape.columns)
        let width = max(16, Self.values / max(n, 1))
        for part in 0..<slice.width {
            for start in stride(from: 0, to: columns, by: width) {
                let count = min(width, columns - start)
                func packed(_ stored: Stored) -> Matrix<Float> {
                    Self.values(rows: n, count) { channel, target in
                        let row = slice.start + channel * slice.stride + part
                        stored.widen(at: row * columns + start, count, into: target)
                    }
                }
                try add(packed(first), packed(second), transposed: false)
                done += count
                try report(done)
            }
        }
    }

    /// Channels that are runs of columns, in the rows that the slice is confined to.
    private mutating func addColumns(
        _ slice: Site.Slice, _ first: Stored, _ second: Stored, _ report: (Int) throws -> Void
    ) throws {
        let (n, shape) = (matrix.rows, first.tensor.matrixShape)
        let height = max(16, Self.values / max(n, 1))
        let rows = slice.across ?? 0..<shape.rows
        var line = [Float](repeating: 0, count: shape.columns)
        for part in 0..<slice.width {
            for start in stride(from: rows.lowerBound, to: rows.upperBound, by: height) {
                let count = min(height, rows.upperBound - start)
                func packed(_ stored: Stored) -> Matrix<Float> {
                    Self.values(rows: count, n) { row, target in
                        line.withUnsafeMutableBufferPointer { line in
                            guard let line = line.baseAddress else { return }
                            stored.widen(at: (start + row) * shape.columns, shape.columns, into: line)
                            for channel in 0..<n { target[channel] = line[slice.start + channel * slice.stride + part] }
                        }
                    }
                }
                try add(packed(first), packed(second), transposed: true)
                done += count
                try report(done)
            }
        }
    }

    /// products += first · secondᵀ, or firstᵀ · second where channels are columns.
    private mutating func add(_ first: Matrix<Float>, _ second: Matrix<Float>, transposed: Bool) throws {
        try Interruption.check()
        try first.withView { first in
            try second.withView { second in
                try matrix.withMutableView { products in
                    try Products.multiply(
                        first, leftTransposed: transposed, by: second, rightTransposed: !transposed, into: products,
                        beta: 1)
                }
            }
        }
    }

    private static func values(
        rows: Int, _ columns: Int, _ fill: (Int, UnsafeMutablePointer<Float>) -> Void
    ) -> Matrix<Float> {
        Matrix(
            rows: rows, columns: columns,
            elements: [Float](unsafeUninitializedCapacity: rows * columns) { buffer, filled in
                if let base = buffer.baseAddress { for row in 0..<rows { fill(row, base + row * columns) } }
                filled = rows * columns
            })
    }
}
