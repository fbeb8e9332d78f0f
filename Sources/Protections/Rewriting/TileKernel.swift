import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Computes the rows of one tile. Both functions return how many values an exact scaling could not keep.
struct TileKernel<Storage: WeightStorage> {
    /// Elements of a packed operand that stays in the second-level cache beside its result.
    private static var packedElements: Int { 1 << 16 }

    /// The whole tensor.
    let input: UnsafePointer<Storage.Stored>
    /// The tile.
    let output: UnsafeMutablePointer<Storage.Stored>
    let rows: Range<Int>
    let columns: Int
    let scratch: WorkerScratch

    private func inputRow(_ row: Int) -> UnsafePointer<Storage.Stored> { input + row * columns }

    private func outputRow(_ row: Int) -> UnsafeMutablePointer<Storage.Stored> {
        output + (row - rows.lowerBound) * columns
    }

    /// `new[i, :] = Σ_j M[i, j] old[j, :]` within each run of rows.
    func actOnRows(_ actions: PreparedActions<Storage>) throws -> Int {
        var lost = 0
        for run in actions.runs where run.range.overlaps(rows) {
            let part = run.range.clamped(to: rows)
            let (first, source) = (run.range.lowerBound, run.source)
            switch run.action {
            case .copy:
                outputRow(part.lowerBound).update(
                    from: inputRow(source + part.lowerBound - first), count: part.count * columns)
            case .dense(let matrix): try multiplyRows(matrix, from: source, to: first)
            case .torus(let torus): rotateRows(torus, from: source, to: first)
            case .monomial(let channels, let scale, _):
                for row in part {
                    let channel = row - first
                    let origin = inputRow(source + Int(channels[channel]))
                    if scale[channel] == 1 {
                        outputRow(row).update(from: origin, count: columns)
                    } else {
                        lost += Storage.scale(outputRow(row), origin, columns, scale[channel])
                    }
                }
            }
        }
        return lost
    }

    /// Packs a chunk of columns, multiplies from the left, rounds into place.
    private func multiplyRows(_ matrix: Matrix<Storage.Real>, from source: Int, to first: Int) throws {
        let n = matrix.rows
        let width = max(64, Self.packedElements / max(n, 1))
        let packed = scratch.buffer(1, of: Storage.Real.self, count: n * width)
        let result = scratch.buffer(2, of: Storage.Real.self, count: n * width)
        for start in stride(from: 0, to: columns, by: width) {
            let count = min(width, columns - start)
            for i in 0..<n { Storage.widen(packed + i * count, inputRow(source + i) + start, count) }
            try matrix.withView { left in
                try Products.multiply(
                    left, by: MatrixView(packed, rows: n, columns: count, rowStride: count),
                    into: MutableMatrixView(result, rows: n, columns: count, rowStride: count))
            }
            for i in 0..<n { Storage.narrow(outputRow(first + i) + start, result + i * count, count) }
        }
    }

    /// One complex factor for each pair of rows.
    private func rotateRows(_ torus: Torus, from source: Int, to first: Int) {
        let width = min(columns, 4096)
        let packed = scratch.buffer(1, of: Storage.Real.self, count: 2 * width)
        let result = scratch.buffer(2, of: Storage.Real.self, count: 2 * width)
        for pair in 0..<torus.pairing.pairCount {
            let (a, b) = torus.pairing.channels(ofPair: pair)
            for start in stride(from: 0, to: columns, by: max(width, 1)) {
                let count = min(width, columns - start)
                Storage.widen(packed, inputRow(source + a) + start, count)
                Storage.widen(packed + width, inputRow(source + b) + start, count)
                Storage.rotate(
                    result, result + width, packed, packed + width, count, torus.real[pair], torus.imaginary[pair])
                Storage.narrow(outputRow(first + a) + start, result, count)
                Storage.narrow(outputRow(first + b) + start, result + width, count)
            }
        }
    }

    /// `new[:, i] = Σ_j M[i, j] old[:, j]` within each run of columns.
    func actOnColumns(_ actions: PreparedActions<Storage>) throws -> Int {
        var lost = 0
        for run in actions.runs {
            let (start, source) = (run.range.lowerBound, run.source)
            switch run.action {
            case .copy:
                for row in rows {
                    (outputRow(row) + start).update(from: inputRow(row) + source, count: run.range.count)
                }
            case .dense(let matrix): try multiplyColumns(matrix, from: source, to: start)
            case .torus: preconditionFailure("a torus on columns is prepared as a dense matrix")
            case .monomial(let channels, _, let scale):
                for row in rows {
                    lost += Storage.gather(
                        outputRow(row) + start, inputRow(row) + source, channels, scale, channels.count)
                }
            }
        }
        return lost
    }

    /// Packs the run's columns, multiplies by the transposed matrix from the right, rounds into place.
    private func multiplyColumns(_ matrix: Matrix<Storage.Real>, from source: Int, to first: Int) throws {
        let n = matrix.rows
        let packed = scratch.buffer(1, of: Storage.Real.self, count: n * rows.count)
        let result = scratch.buffer(2, of: Storage.Real.self, count: n * rows.count)
        for (i, row) in rows.enumerated() { Storage.widen(packed + i * n, inputRow(row) + source, n) }
        try matrix.withView { right in
            try Products.multiply(
                MatrixView(packed, rows: rows.count, columns: n, rowStride: n), by: right, rightTransposed: true,
                into: MutableMatrixView(result, rows: rows.count, columns: n, rowStride: n))
        }
        for (i, row) in rows.enumerated() { Storage.narrow(outputRow(row) + first, result + i * n, n) }
    }
}
