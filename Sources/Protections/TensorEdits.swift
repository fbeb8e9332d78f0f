import Checkpoints
import Symmetries

/// What a plan does to one tensor: disjoint runs of indices along one axis, each acted on by its site's element, and moves of whole
/// blocks of the result along the same axis.
struct TensorEdits: Sendable {
    struct Edit: Sendable {
        let site: Site
        let slice: Site.Slice
        var range: Range<Int> { slice.start..<slice.start + site.group.dimension * slice.width }
    }

    /// Rows that share their edits: all of them, or for edits of columns those of one expert.
    struct Band: Sendable {
        let rows: Range<Int>
        /// By ascending start.
        let edits: [Edit]
    }

    let tensor: TensorRecord
    /// 0 for rows, 1 for columns.
    let axis: Int
    /// They cover the tensor from its first row to its last.
    let bands: [Band]
    /// Of the sites that move whole blocks, in the order in which they act.
    let moves: [Edit]

    init(tensor: TensorRecord, edits: [Edit]) throws {
        self.tensor = tensor
        axis = edits.first?.slice.axis ?? 0
        moves = edits.filter(\.site.kind.movesBlocks)
        let (rows, columns) = tensor.matrixShape
        for move in moves {
            let extent = move.slice.extent(channels: move.site.group.dimension)
            guard move.slice.axis == axis else { throw ProtectionError.bothAxes(tensor: tensor.name) }
            guard extent.lowerBound >= 0, extent.upperBound <= (axis == 0 ? rows : columns) else {
                throw Self.outside(move, tensor, end: extent.upperBound)
            }
        }
        var byRows: [Range<Int>: [Edit]] = [:]
        for edit in edits where !edit.site.kind.movesBlocks {
            guard edit.slice.axis == axis else { throw ProtectionError.bothAxes(tensor: tensor.name) }
            guard tensor.type.isComputable else {
                throw SymmetryError.unsupportedType(
                    site: edit.site.path, tensor: tensor.name, type: tensor.type.rawValue)
            }
            byRows[edit.slice.across ?? 0..<rows, default: []].append(edit)
        }
        var bands: [Band] = []
        var end = 0
        // Nothing else acts where blocks of rows move from band to band.
        guard moves.isEmpty || byRows.keys.allSatisfy({ $0 == 0..<rows }) else {
            throw ProtectionError.bothAxes(tensor: tensor.name)
        }
        for (range, edits) in byRows.sorted(by: { $0.key.lowerBound < $1.key.lowerBound }) {
            let edits = edits.sorted { $0.slice.start < $1.slice.start }
            try Self.check(edits, extent: axis == 0 ? rows : columns, tensor)
            guard range.lowerBound >= end, range.upperBound <= rows else {
                throw Self.outside(edits[0], tensor, end: range.upperBound)
            }
            if range.lowerBound > end { bands.append(Band(rows: end..<range.lowerBound, edits: [])) }
            bands.append(Band(rows: range, edits: edits))
            end = range.upperBound
        }
        if end < rows { bands.append(Band(rows: end..<rows, edits: [])) }
        self.bands = bands
    }

    /// Edits of one band may neither overlap nor reach beyond the axis.
    private static func check(_ edits: [Edit], extent: Int, _ tensor: TensorRecord) throws {
        var end = 0
        for edit in edits {
            guard edit.range.lowerBound >= end, edit.range.upperBound <= extent else {
                throw outside(edit, tensor, end: edit.range.upperBound)
            }
            end = edit.range.upperBound
        }
    }

    private static func outside(_ edit: Edit, _ tensor: TensorRecord, end: Int) -> SymmetryError {
        .sliceOutsideTensor(
            site: edit.site.path, tensor: tensor.name, axis: edit.slice.axis, end: end, shape: tensor.shape)
    }

    /// The edits of every tensor that some site acts on.
    static func collect(_ sites: [Site], in checkpoint: Checkpoint) throws -> [String: TensorEdits] {
        var edits: [String: [Edit]] = [:]
        for site in sites {
            for slice in site.slices { edits[slice.tensor, default: []].append(Edit(site: site, slice: slice)) }
        }
        var collected: [String: TensorEdits] = [:]
        for (name, edits) in edits {
            guard let tensor = checkpoint.tensors[name] else { continue }
            collected[name] = try TensorEdits(tensor: tensor, edits: edits)
        }
        return collected
    }
}
