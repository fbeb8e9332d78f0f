import Checkpoints
import LinearAlgebra
import Symmetries
import Synchronization

/// Rewrites one tensor by the elements of the sites that act on it.
///
/// A tile is one run of rows: a head's rows where a dense element mixes them, any rows otherwise. The elements are drawn when the
/// first tile asks for them and dropped after the last.
final class WeightRewriter<Storage: WeightStorage>: TensorRewriter {
    /// Aim for a tile that needs no particular rows.
    private static var tileBytes: Int { 1 << 20 }
    /// Rows that make a product with a head's matrix efficient.
    private static var productRows: Int { 128 }

    let tiles: [Range<Int>]
    private let edits: TensorEdits
    private let source: Checkpoint
    private let elements: ElementSource
    private let allowsNonFinite: Bool
    /// By band; nil until the band's first tile.
    private let prepared: Mutex<[PreparedActions<Storage>?]>

    init(edits: TensorEdits, source: Checkpoint, elements: ElementSource, allowsNonFinite: Bool) {
        self.edits = edits
        self.source = source
        self.elements = elements
        self.allowsNonFinite = allowsNonFinite
        prepared = Mutex(Array(repeating: nil, count: edits.bands.count))
        let columns = edits.tensor.matrixShape.columns
        let rowBytes = max(columns * edits.tensor.type.bitWidth / 8, 1)
        tiles = edits.bands.flatMap { Self.rowTiles($0, axis: edits.axis, rowBytes: rowBytes) }
            .map { $0.lowerBound * rowBytes..<$0.upperBound * rowBytes }.filter { !$0.isEmpty }
    }

    /// Row ranges in order. What they are follows from shapes and groups alone.
    private static func rowTiles(_ band: TensorEdits.Band, axis: Int, rowBytes: Int) -> [Range<Int>] {
        let free = max(1, tileBytes / rowBytes)
        guard axis == 0 else {
            let mixes = band.edits.contains { !$0.site.group.isMonomial }
            return split(band.rows, by: mixes ? max(productRows, min(free, 2 * productRows)) : free)
        }
        var tiles: [Range<Int>] = []
        var end = 0
        for edit in band.edits {
            tiles += split(end..<edit.range.lowerBound, by: free)
            tiles += edit.site.group.isMonomial ? split(edit.range, by: free) : [edit.range]
            end = edit.range.upperBound
        }
        return tiles + split(end..<band.rows.upperBound, by: free)
    }

    private static func split(_ range: Range<Int>, by count: Int) -> [Range<Int>] {
        stride(from: range.lowerBound, to: range.upperBound, by: count).map { $0..<min($0 + count, range.upperBound) }
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        let input = source.bytes(of: edits.tensor)
        guard let from = input.baseAddress, let to = output.baseAddress else { return }
        let columns = edits.tensor.matrixShape.columns
        let rowBytes = columns * MemoryLayout<Storage.Stored>.stride
        let actions = try actions(forRow: tile.lowerBound / rowBytes)
        // Safetensors promises no alignment, as a header may have any length; the kernels ask for none.
        let kernel = TileKernel<Storage>(
            input: from.assumingMemoryBound(to: Storage.Stored.self),
            output: to.assumingMemoryBound(to: Storage.Stored.self),
            rows: tile.lowerBound / rowBytes..<tile.upperBound / rowBytes, columns: columns, scratch: scratch)
        let lost = try edits.axis == 0 ? kernel.actOnRows(actions) : kernel.actOnColumns(actions)
        try check(kernel.output, count: kernel.rows.count * columns, lost: lost)
    }

    func finish() { prepared.withLock { $0 = Array(repeating: nil, count: edits.bands.count) } }

    private func actions(forRow row: Int) throws -> PreparedActions<Storage> {
        let number = edits.bands.firstIndex { $0.rows.contains(row) } ?? 0
        return try prepared.withLock { prepared in
            if let prepared = prepared[number] { return prepared }
            let made = try PreparedActions<Storage>(edits.bands[number], of: edits, elements: elements)
            // Bands come one after the other: what lies behind is not needed again.
            for other in prepared.indices where other + 2 < number { prepared[other] = nil }
            prepared[number] = made
            return made
        }
    }

    private func check(_ output: UnsafePointer<Storage.Stored>, count: Int, lost: Int) throws {
        if !allowsNonFinite, Storage.nonFinite(output, count) > 0 {
            let found = NonFinite.count(in: source.bytes(of: edits.tensor), of: edits.tensor.type)
            if found > 0 { throw ProtectionError.nonFinite(tensor: edits.tensor.name, count: found) }
            throw elements.sampler == .exact
                ? ProtectionError.inexactScaling(tensor: edits.tensor.name)
                : ProtectionError.overflow(tensor: edits.tensor.name, type: edits.tensor.type.rawValue)
        }
        if lost > 0 { throw ProtectionError.inexactScaling(tensor: edits.tensor.name) }
    }
}
