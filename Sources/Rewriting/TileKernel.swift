import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries

/// Computes the rows of one tile, from values stored in one way into such that are stored in another or the same. Both functions return
/// how many values an exact scaling could not keep.
struct TileKernel<Input: WeightStorage, Output: WeightStorage> where Input.Real == Output.Real {
    typealias Real = Input.Real
    typealias Actions = PreparedActions<Real>

    /// Elements of a packed operand that stays in the second-level cache beside its result.
    private static var packedElements: Int { 1 << 16 }
    /// Values of a stream's vectors that are turned at a time by a fast rotation: half a second-level cache where they lie side by side, half a
    /// first-level one where they lie one behind the other.
    private static var turnedElements: Int { (1 << 18) / MemoryLayout<Real>.stride }
    private static var turnedRowElements: Int { (1 << 14) / MemoryLayout<Real>.stride }

    /// The whole tensor.
    let input: UnsafePointer<Input.Stored>
    /// The tile.
    let output: UnsafeMutablePointer<Output.Stored>
    let rows: Range<Int>
    let columns: Int
    let scratch: WorkerScratch

    private func inputRow(_ row: Int) -> UnsafePointer<Input.Stored> { input + row * columns }

    private func outputRow(_ row: Int) -> UnsafeMutablePointer<Output.Stored> {
        output + (row - rows.lowerBound) * columns
    }

    /// Bits as they are, or rounded where the output is stored in fewer.
    private func copy(
        _ target: UnsafeMutablePointer<Output.Stored>, _ source: UnsafePointer<Input.Stored>, _ count: Int
    ) {
        if Input.self == Output.self {
            UnsafeMutableRawPointer(target).copyMemory(
                from: source, byteCount: count * MemoryLayout<Input.Stored>.stride)
        } else {
            let wide = scratch.buffer(1, of: Real.self, count: count)
            Input.widen(wide, source, count)
            Output.narrow(target, wide, count)
        }
    }

    /// `new[i, :] = Σ_j M[i, j] old[j, :]` within each run of rows.
    func actOnRows(_ actions: Actions) throws -> Int {
        var lost = 0
        for run in actions.runs where run.range.overlaps(rows) {
            let part = run.range.clamped(to: rows)
            let (first, source) = (run.range.lowerBound, run.source)
            switch run.action {
            case .copy:
                copy(
                    outputRow(part.lowerBound), inputRow(source + part.lowerBound - first), part.count * columns)
            case .dense(let matrix): try multiplyRows(matrix, from: source, to: first)
            case .torus(let torus): rotateRows(torus, from: source, to: first)
            case .turn(let turn, let before, let after):
                try turnRows(
                    turn, before, after, from: source, part.lowerBound - first..<part.upperBound - first,
                    to: part.lowerBound)
            case .monomial(let channels, let scale):
                for row in part {
                    let channel = row - first
                    let origin = inputRow(source + Int(channels[channel]))
                    if scale[channel] == 1 || Input.self != Output.self {
                        copy(outputRow(row), origin, columns)
                    }
                    if scale[channel] != 1 {
                        lost += scaleRow(outputRow(row), origin, scale[channel])
                    }
                }
            }
        }
        return lost
    }

    /// In storage of another kind the row has been copied already.
    private func scaleRow(
        _ target: UnsafeMutablePointer<Output.Stored>, _ source: UnsafePointer<Input.Stored>, _ scale: Double
    ) -> Int {
        let origin = Input.self == Output.self ? UnsafeRawPointer(source) : UnsafeRawPointer(target)
        return Output.scale(target, origin.assumingMemoryBound(to: Output.Stored.self), columns, scale)
    }

    /// Packs a chunk of columns, multiplies from the left, rounds into place.
    private func multiplyRows(_ matrix: Matrix<Real>, from source: Int, to first: Int) throws {
        let n = matrix.rows
        let width = max(64, Self.packedElements / max(n, 1))
        let packed = scratch.buffer(1, of: Real.self, count: n * width)
        let result = scratch.buffer(2, of: Real.self, count: n * width)
        for start in stride(from: 0, to: columns, by: width) {
            let count = min(width, columns - start)
            for i in 0..<n { Input.widen(packed + i * count, inputRow(source + i) + start, count) }
            try matrix.withView { left in
                try Products.multiply(
                    left, by: MatrixView(packed, rows: n, columns: count, rowStride: count),
                    into: MutableMatrixView(result, rows: n, columns: count, rowStride: count))
            }
            for i in 0..<n { Output.narrow(outputRow(first + i) + start, result + i * count, count) }
        }
    }

    /// Some rows of what a rotation makes of all of its run's: `R[part, :] · old`, strip by strip of columns.
    private func turnRows(
        _ turn: Turn<Real>, _ before: Shuffle<Real>, _ after: Shuffle<Real>, from source: Int, _ part: Range<Int>,
        to first: Int
    ) throws {
        let n = turn.dimension
        let width = turn.matrix == nil ? max(32, Self.turnedElements / max(n, 1)) : DenseRotation.columns
        let strip = max(min(width, columns), 1)
        let packed = scratch.buffer(1, of: Real.self, count: n * strip)
        let spare = scratch.buffer(2, of: Real.self, count: n * strip)
        for start in stride(from: 0, to: columns, by: strip) {
            let count = min(strip, columns - start)
            Input.takeRows(packed, inputRow(source) + start, stride: columns, width: count, before)
            var turned = UnsafePointer(spare)
            if let matrix = turn.matrix {
                try matrix.withView { all in
                    try Products.multiply(
                        all.window(rows: part, columns: 0..<n),
                        by: MatrixView(packed, rows: n, columns: count, rowStride: count),
                        into: MutableMatrixView(spare, rows: part.count, columns: count, rowStride: count))
                }
                // The shuffle names rows of R.
                turned -= part.lowerBound * count
            } else {
                turned = UnsafePointer(try turn.mix(packed, .across(count), spare: spare))
            }
            Output.putRows(outputRow(first) + start, stride: columns, turned, width: count, after, part)
        }
    }

    /// One complex factor for each pair of rows.
    private func rotateRows(_ torus: Torus, from source: Int, to first: Int) {
        let width = min(columns, 4096)
        let packed = scratch.buffer(1, of: Real.self, count: 2 * width)
        let result = scratch.buffer(2, of: Real.self, count: 2 * width)
        for pair in 0..<torus.pairing.pairCount {
            let (a, b) = torus.pairing.channels(ofPair: pair)
            for start in stride(from: 0, to: columns, by: max(width, 1)) {
                let count = min(width, columns - start)
                Input.widen(packed, inputRow(source + a) + start, count)
                Input.widen(packed + width, inputRow(source + b) + start, count)
                Input.rotate(
                    result, result + width, packed, packed + width, count, torus.real[pair], torus.imaginary[pair])
                Output.narrow(outputRow(first + a) + start, result, count)
                Output.narrow(outputRow(first + b) + start, result + width, count)
            }
        }
    }

    /// `new[:, i] = Σ_j M[i, j] old[:, j]` within each run of columns.
    func actOnColumns(_ actions: Actions) throws -> Int {
        var lost = 0
        for run in actions.runs {
            let (start, source) = (run.range.lowerBound, run.source)
            switch run.action {
            case .copy:
                for row in rows { copy(outputRow(row) + start, inputRow(row) + source, run.range.count) }
            case .dense(let matrix): try multiplyColumns(matrix, from: source, to: start)
            case .torus: preconditionFailure("a torus on columns is prepared as a dense matrix")
            case .turn(let turn, let before, let after):
                try turnColumns(turn, before, after, from: source, to: start)
            case .monomial(let channels, let scale):
                lost += gather(channels, scale.map { Input.Scale($0) }, from: source, to: start)
            }
        }
        return lost
    }

    private func gather(_ channels: [Int32], _ scale: [Input.Scale], from source: Int, to first: Int) -> Int {
        var lost = 0
        let isSame = Input.self == Output.self
        let gathered = scratch.buffer(2, of: Input.Stored.self, count: channels.count)
        for row in rows {
            let target = outputRow(row) + first
            let place =
                isSame ? UnsafeMutableRawPointer(target).assumingMemoryBound(to: Input.Stored.self) : gathered
            lost += Input.gather(place, inputRow(row) + source, channels, scale, channels.count)
            if !isSame { copy(target, gathered, channels.count) }
        }
        return lost
    }

    /// Packs the run's columns, multiplies by the transposed matrix from the right, rounds into place.
    private func multiplyColumns(_ matrix: Matrix<Real>, from source: Int, to first: Int) throws {
        let n = matrix.rows
        let packed = scratch.buffer(1, of: Real.self, count: n * rows.count)
        let result = scratch.buffer(2, of: Real.self, count: n * rows.count)
        for (i, row) in rows.enumerated() { Input.widen(packed + i * n, inputRow(row) + source, n) }
        try matrix.withView { right in
            try Products.multiply(
                MatrixView(packed, rows: rows.count, columns: n, rowStride: n), by: right, rightTransposed: true,
                into: MutableMatrixView(result, rows: rows.count, columns: n, rowStride: n))
        }
        for (i, row) in rows.enumerated() { Output.narrow(outputRow(row) + first, result + i * n, n) }
    }

    /// Every row's vector of the stream, turned.
    private func turnColumns(
        _ turn: Turn<Real>, _ before: Shuffle<Real>, _ after: Shuffle<Real>, from source: Int, to first: Int
    ) throws {
        let n = turn.dimension
        let height = turn.matrix == nil ? min(rows.count, max(1, Self.turnedRowElements / max(n, 1))) : rows.count
        let packed = scratch.buffer(1, of: Real.self, count: n * height)
        let spare = scratch.buffer(2, of: Real.self, count: n * height)
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: max(height, 1)) {
            let own = start..<min(start + height, rows.upperBound)
            for (i, row) in own.enumerated() { Input.take(packed + i * n, inputRow(row) + source, before) }
            let turned = try turn.mix(packed, .rows(own.count), spare: spare)
            for (i, row) in own.enumerated() { Output.put(outputRow(row) + first, turned + i * n, after) }
        }
    }
}
