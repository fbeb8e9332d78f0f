import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// What it costs to put channel b of a model where its base has channel a: the inner product of all that the two channels are made of, in
/// f32. The assignment of least cost moves the weights farthest from the base's (PaRaMS, arXiv 2503.07661).
struct AssignmentCosts {
    /// Values of all channels that are read at a time.
    private static let values = 1 << 19

    private(set) var matrix: Matrix<Float>
    /// Whether any weight differs.
    private(set) var differs = false

    init(of site: Site, in model: Checkpoint, base: Checkpoint) throws {
        let n = site.group.dimension
        matrix = Matrix(rows: n, columns: n, repeating: 0)
        for slice in site.slices {
            guard let own = model.tensors[slice.tensor], let other = base.tensors[slice.tensor] else { continue }
            differs = differs || !model.bytes(of: own).elementsEqual(base.bytes(of: other))
            try slice.axis == 0 ? addRows(slice, own, other, model, base) : addColumns(slice, own, other, model, base)
            model.releasePages(of: own)
            base.releasePages(of: other)
        }
    }

    /// Channels that are runs of rows.
    private mutating func addRows(
        _ slice: Site.Slice, _ own: TensorRecord, _ other: TensorRecord, _ model: Checkpoint, _ base: Checkpoint
    ) throws {
        let (n, columns) = (matrix.rows, own.matrixShape.columns)
        let width = max(16, Self.values / max(n, 1))
        for part in 0..<slice.width {
            for start in stride(from: 0, to: columns, by: width) {
                let count = min(width, columns - start)
                func packed(_ tensor: TensorRecord, _ checkpoint: Checkpoint) -> Matrix<Float> {
                    Self.values(rows: n, count) { channel, target in
                        let row = slice.start + channel * slice.stride + part
                        Self.widen(tensor, in: checkpoint, at: row * columns + start, count, into: target)
                    }
                }
                try add(packed(other, base), packed(own, model), transposed: false)
            }
        }
    }

    /// Channels that are runs of columns, in the rows that the slice is confined to.
    private mutating func addColumns(
        _ slice: Site.Slice, _ own: TensorRecord, _ other: TensorRecord, _ model: Checkpoint, _ base: Checkpoint
    ) throws {
        let (n, shape) = (matrix.rows, own.matrixShape)
        let height = max(16, Self.values / max(n, 1))
        let rows = slice.across ?? 0..<shape.rows
        var line = [Float](repeating: 0, count: shape.columns)
        for part in 0..<slice.width {
            for start in stride(from: rows.lowerBound, to: rows.upperBound, by: height) {
                let count = min(height, rows.upperBound - start)
                func packed(_ tensor: TensorRecord, _ checkpoint: Checkpoint) -> Matrix<Float> {
                    Self.values(rows: count, n) { row, target in
                        line.withUnsafeMutableBufferPointer { line in
                            guard let line = line.baseAddress else { return }
                            Self.widen(
                                tensor, in: checkpoint, at: (start + row) * shape.columns, shape.columns, into: line)
                            for channel in 0..<n { target[channel] = line[slice.start + channel * slice.stride + part] }
                        }
                    }
                }
                try add(packed(other, base), packed(own, model), transposed: true)
            }
        }
    }

    /// costs += base · ownᵀ, or baseᵀ · own where channels are columns.
    private mutating func add(_ base: Matrix<Float>, _ own: Matrix<Float>, transposed: Bool) throws {
        try Interruption.check()
        try base.withView { base in
            try own.withView { own in
                try matrix.withMutableView { costs in
                    try Products.multiply(
                        base, leftTransposed: transposed, by: own, rightTransposed: !transposed, into: costs, beta: 1)
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

    private static func widen(
        _ tensor: TensorRecord, in checkpoint: Checkpoint, at index: Int, _ count: Int,
        into target: UnsafeMutablePointer<Float>
    ) {
        guard let bytes = checkpoint.bytes(of: tensor).baseAddress else { return }
        tensor.type.widen(bytes + index * tensor.type.bitWidth / 8, into: target, count)
    }
}
