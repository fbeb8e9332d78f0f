import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Rewrites one tensor by the elements of the sites that act on it: those on its rows, then those on its columns.
///
/// A tile is one run of rows: a head's rows where a dense element mixes them, any rows otherwise. The elements are drawn when the
/// first tile asks for them and dropped after the last. Where both steps round, the arithmetic's own type goes between them; where one
/// does, the other moves bits.
final class WeightProducer<Storage: WeightStorage>: TensorProducer {
    private struct Prepared {
        var rows: PreparedActions<Storage.Real>?
        /// By band; nil until the band's first tile.
        var columns: [PreparedActions<Storage.Real>?]
        var input: TensorContent?
    }

    let tiles: [Range<Int>]
    private let edits: TensorEdits
    /// What is read: another tensor of the same shape where two change places.
    private let input: TensorRecord
    private let source: Checkpoint
    private let elements: ElementCache
    private let allowsNonFinite: Bool
    private let prepared: Mutex<Prepared>

    init(
        edits: TensorEdits, input: TensorRecord, source: Checkpoint, elements: ElementCache, allowsNonFinite: Bool
    ) {
        (self.edits, self.input, self.source) = (edits, input, source)
        self.elements = elements
        self.allowsNonFinite = allowsNonFinite
        prepared = Mutex(Prepared(columns: Array(repeating: nil, count: edits.bands.count)))
        let rowBytes = edits.shape.columns * edits.tensor.type.bitWidth / 8
        tiles = edits.rowTiles.map { $0.lowerBound * rowBytes..<$0.upperBound * rowBytes }.filter { !$0.isEmpty }
    }

    var inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)] { [(source, input)] }

    // A generic class's methods are compiled for no type in particular unless they are told.
    @_specialize(where Storage == BF16Storage)
    @_specialize(where Storage == F16Storage)
    @_specialize(where Storage == F32Storage)
    @_specialize(where Storage == F64Storage)
    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        let content = inputContent()
        defer { withExtendedLifetime(content) {} }
        let bytes = content.bytes
        guard bytes.count == edits.tensor.byteCount, let from = bytes.baseAddress, let to = output.baseAddress else {
            return
        }
        let columns = edits.shape.columns
        let rowBytes = columns * MemoryLayout<Storage.Stored>.stride
        let rows = tile.lowerBound / rowBytes..<tile.upperBound / rowBytes
        // Safetensors promises no alignment, as a header may have any length; the kernels ask for none.
        let read = from.assumingMemoryBound(to: Storage.Stored.self)
        let written = to.assumingMemoryBound(to: Storage.Stored.self)
        let kernel = TileKernel<Storage, Storage>(
            input: read, output: written, rows: rows, columns: columns, scratch: scratch)
        var lost = 0
        if edits.mixesBoth {
            try write(rows, of: read, by: Storage.Wide.self, into: written, scratch)
        } else if edits.actsOnRows, edits.actsOnColumns {
            lost = try write(rows, of: read, by: Storage.self, into: written, scratch)
        } else if edits.actsOnRows {
            lost = try kernel.actOnRows(try rowActions())
        } else if edits.actsOnColumns {
            lost = try kernel.actOnColumns(try columnActions(forRow: rows.lowerBound))
        } else {
            written.update(from: read + rows.lowerBound * columns, count: rows.count * columns)
        }
        try check(written, count: rows.count * columns, lost: lost)
    }

    /// Acts on rows into memory of one kind, and on columns from there.
    @discardableResult
    private func write<Between: WeightStorage>(
        _ rows: Range<Int>, of read: UnsafePointer<Storage.Stored>, by between: Between.Type,
        into written: UnsafeMutablePointer<Storage.Stored>, _ scratch: WorkerScratch
    ) throws -> Int where Between.Real == Storage.Real {
        let columns = edits.shape.columns
        let middle = scratch.buffer(3, of: Between.Stored.self, count: rows.count * columns)
        let first = TileKernel<Storage, Between>(
            input: read, output: middle, rows: rows, columns: columns, scratch: scratch)
        let second = TileKernel<Between, Storage>(
            input: UnsafePointer(middle) - rows.lowerBound * columns, output: written, rows: rows, columns: columns,
            scratch: scratch)
        return try first.actOnRows(try rowActions())
            + second.actOnColumns(try columnActions(forRow: rows.lowerBound))
    }

    func finish() {
        prepared.withLock { $0 = Prepared(columns: Array(repeating: nil, count: edits.bands.count)) }
    }

    private func inputContent() -> TensorContent {
        prepared.withLock { prepared in
            let content = prepared.input ?? source.content(of: input)
            prepared.input = content
            return content
        }
    }

    private func rowActions() throws -> PreparedActions<Storage.Real> {
        try prepared.withLock { prepared in
            if let rows = prepared.rows { return rows }
            let made = try PreparedActions<Storage.Real>(rowsOf: edits, elements: elements)
            prepared.rows = made
            return made
        }
    }

    /// A band's edits go with its rows, wherever they are moved.
    private func columnActions(forRow row: Int) throws -> PreparedActions<Storage.Real> {
        let isMoved = !elements.isInverse && !edits.rowMoves.isEmpty && edits.bands.count > 1
        let origin = try isMoved ? rowActions().sourceRow(of: row) : row
        let number = edits.bands.firstIndex { $0.rows.contains(origin) } ?? 0
        return try prepared.withLock { prepared in
            if let columns = prepared.columns[number] { return columns }
            let made = try PreparedActions<Storage.Real>(columnsOf: edits.bands[number], edits, elements: elements)
            // Bands come one after the other, unless they are moved: what lies behind is not needed again.
            if !isMoved {
                for other in prepared.columns.indices where other + 2 < number { prepared.columns[other] = nil }
            }
            prepared.columns[number] = made
            return made
        }
    }

    private func check(_ output: UnsafePointer<Storage.Stored>, count: Int, lost: Int) throws {
        let bytes = UnsafeRawBufferPointer(start: output, count: count * MemoryLayout<Storage.Stored>.stride)
        if !allowsNonFinite, NonFinite.count(in: bytes, of: edits.tensor.type) > 0 {
            let found = NonFinite.count(in: inputContent().bytes, of: input.type)
            if found > 0 { throw RewritingError.nonFinite(tensor: input.name, count: found) }
            throw elements.isExact
                ? RewritingError.inexactScaling(tensor: edits.tensor.name)
                : RewritingError.overflow(tensor: edits.tensor.name, type: edits.tensor.type.rawValue)
        }
        if lost > 0 { throw RewritingError.inexactScaling(tensor: edits.tensor.name) }
    }
}
