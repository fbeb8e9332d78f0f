import Checkpoints
import Symmetries

/// What a plan does to one tensor. Along each axis disjoint runs of indices are acted on by their sites' elements, then whole blocks of
/// the result are moved; rows first, columns after them.
struct TensorEdits: Sendable {
    struct Edit: Sendable {
        let site: Site
        let slice: Site.Slice
        var range: Range<Int> { slice.start..<slice.start + site.group.dimension * slice.width }
    }

    /// Rows of the original that share their edits of columns: all of them, or those of one expert.
    struct Band: Sendable {
        let rows: Range<Int>
        /// By ascending start.
        let edits: [Edit]
    }

    /// Of the original.
    let tensor: TensorRecord
    /// As what matrix it is acted on: with a channel in each row where its rows are turned, such as those of a convolution.
    let shape: (rows: Int, columns: Int)
    /// Edits of rows, by ascending start.
    let rows: [Edit]
    /// Edits of columns. They cover the tensor from its first row to its last.
    let bands: [Band]
    /// Of the sites that move whole blocks of rows, in the order in which they act.
    let rowMoves: [Edit]
    let columnMoves: [Edit]
    /// Set where the tensor is a norm's gain that goes into the weights behind it, and 1 is left.
    let folded: Site.Gain?

    var actsOnRows: Bool { !rows.isEmpty || !rowMoves.isEmpty }
    /// Whether some element makes new columns of several.
    var mixesColumns: Bool { bands.contains { $0.edits.contains { !$0.site.group.isMonomial } } }
    /// Whether values pass from rows to columns in the arithmetic's own type, so that they are rounded once.
    var mixesBoth: Bool { mixesColumns && rows.contains { !$0.site.group.isMonomial } }
    var actsOnColumns: Bool { !columnMoves.isEmpty || bands.contains { !$0.edits.isEmpty } }

    init(tensor: TensorRecord, edits: [Edit], folded: Site.Gain? = nil) throws {
        self.tensor = tensor
        self.folded = folded
        let (shape, edits) = Self.joined(tensor, edits)
        self.shape = shape
        let (rowCount, columnCount) = shape
        let moves = edits.filter(\.site.kind.movesBlocks)
        for move in moves {
            let extent = move.slice.extent(channels: move.site.group.dimension)
            guard extent.lowerBound >= 0, extent.upperBound <= (move.slice.axis == 0 ? rowCount : columnCount) else {
                throw Self.outside(move, tensor, end: extent.upperBound)
            }
        }
        (rowMoves, columnMoves) = (moves.filter { $0.slice.axis == 0 }, moves.filter { $0.slice.axis != 0 })
        let actions = edits.filter { !$0.site.kind.movesBlocks }
        if let edit = actions.first, !tensor.type.isComputable {
            throw SymmetryError.unsupportedType(site: edit.site.path, tensor: tensor.name, type: tensor.type.rawValue)
        }
        rows = actions.filter { $0.slice.axis == 0 }.sorted { $0.slice.start < $1.slice.start }
        try Self.check(rows, extent: rowCount, tensor)
        bands = try Self.bands(actions.filter { $0.slice.axis != 0 }, tensor, shape)
        // A stream is turned along one axis of a tensor, and gains are nothing but gains.
        let turnsColumns = bands.contains { $0.edits.contains { $0.site.group.isRotation } }
        guard !turnsColumns || !rows.contains(where: { $0.site.group.isRotation }), folded == nil || edits.isEmpty
        else {
            throw RewritingError.bothAxes(tensor: tensor.name)
        }
    }

    /// A channel that is several rows, all that is there, becomes one: rotations act on channels, and their rows lie side by side.
    private static func joined(
        _ tensor: TensorRecord, _ edits: [Edit]
    ) -> (shape: (rows: Int, columns: Int), edits: [Edit]) {
        let (rows, columns) = tensor.matrixShape
        guard edits.count == 1, let edit = edits.first, edit.site.group.isRotation, edit.slice.axis == 0,
            edit.slice.width > 1, edit.range == 0..<rows
        else { return (tensor.matrixShape, edits) }
        let slice = edit.slice.joined
        return ((rows / edit.slice.width, columns * edit.slice.width), [Edit(site: edit.site, slice: slice)])
    }

    /// An edit of columns that names no rows holds for all bands.
    private static func bands(
        _ edits: [Edit], _ tensor: TensorRecord, _ shape: (rows: Int, columns: Int)
    ) throws -> [Band] {
        let (rowCount, columnCount) = shape
        let everywhere = edits.filter { $0.slice.across == nil }
        var byRows: [Range<Int>: [Edit]] = [:]
        for edit in edits { if let rows = edit.slice.across { byRows[rows, default: []].append(edit) } }
        var bands: [Band] = []
        var end = 0
        func add(_ rows: Range<Int>, _ edits: [Edit]) throws {
            guard !rows.isEmpty else { return }
            let edits = (edits + everywhere).sorted { $0.slice.start < $1.slice.start }
            try check(edits, extent: columnCount, tensor)
            bands.append(Band(rows: rows, edits: edits))
        }
        for (range, edits) in byRows.sorted(by: { $0.key.lowerBound < $1.key.lowerBound }) {
            guard range.lowerBound >= end, range.upperBound <= rowCount else {
                throw outside(edits[0], tensor, end: range.upperBound)
            }
            try add(end..<range.lowerBound, [])
            try add(range, edits)
            end = range.upperBound
        }
        try add(end..<rowCount, [])
        return bands
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

    /// The edits of every tensor that some site acts on, or whose place another takes.
    static func collect(
        _ sites: [Site], in checkpoint: Checkpoint, adding new: [TensorRecord] = []
    ) throws -> [String: TensorEdits] {
        var edits: [String: [Edit]] = [:]
        var folded: [String: Site.Gain] = [:]
        for site in sites {
            for gain in site.folded {
                edits[gain.tensor, default: []] += []
                folded[gain.tensor] = gain
            }
            for slice in site.slices { edits[slice.tensor, default: []].append(Edit(site: site, slice: slice)) }
            for tensors in site.exchanges {
                for name in tensors { edits[name, default: []] += [] }
                try checkAlike(tensors, in: checkpoint)
            }
        }
        var collected: [String: TensorEdits] = [:]
        for (name, edits) in edits {
            guard let tensor = checkpoint.tensors[name] ?? new.first(where: { $0.name == name }) else { continue }
            collected[name] = try TensorEdits(tensor: tensor, edits: edits, folded: folded[name])
        }
        return collected
    }

    /// Tensors that change places are of one type.
    private static func checkAlike(_ names: [String], in checkpoint: Checkpoint) throws {
        let tensors = names.compactMap { checkpoint.tensors[$0] }
        guard let first = tensors.first, let other = tensors.first(where: { $0.type != first.type }) else { return }
        throw RewritingError.unlikeExperts(
            tensor: other.name, type: other.type.rawValue, other: first.name, otherType: first.type.rawValue)
    }
}
