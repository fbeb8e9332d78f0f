import LinearAlgebra
import Symmetries

/// The actions along one axis in the form that the kernels take, covering the axis from its first index to its last.
struct PreparedActions<Real: TurnScalar>: Sendable {
    enum Action: Sendable {
        case copy
        case dense(Matrix<Real>)
        case torus(Torus)
        /// Exact: a source channel within the run, and ± a power of two.
        case monomial(source: [Int32], scale: [Double])
        /// Protecting multiplies by a site's factors before it turns, restoring divides by them behind that: `first` and `last` are the
        /// rotation's own with these.
        case turn(Turn<Real>, first: Shuffle<Real>, last: Shuffle<Real>)
    }

    struct Run: Sendable {
        /// What is written.
        let range: Range<Int>
        /// Where what is read begins.
        let source: Int
        let action: Action
    }

    /// By ascending start.
    let runs: [Run]

    init(rowsOf edits: TensorEdits, elements: ElementCache) throws {
        try self.init(edits.rows, edits.rowMoves, extent: edits.shape.rows, forRows: true, elements)
    }

    init(columnsOf band: TensorEdits.Band, _ edits: TensorEdits, elements: ElementCache) throws {
        try self.init(band.edits, edits.columnMoves, extent: edits.shape.columns, forRows: false, elements)
    }

    private init(
        _ edits: [TensorEdits.Edit], _ moves: [TensorEdits.Edit], extent: Int, forRows: Bool, _ elements: ElementCache
    ) throws {
        var acts: [(range: Range<Int>, action: Action)] = []
        var end = 0
        for edit in edits {
            if edit.slice.start > end { acts.append((end..<edit.slice.start, .copy)) }
            end = edit.slice.start
            for action in try elements.element(at: edit.site).actions(
                edit.slice.representation, width: edit.slice.width)
            {
                acts.append((end..<end + action.length, try Self.prepare(action, edit, forRows: forRows, elements)))
                end += action.length
            }
        }
        if end < extent { acts.append((end..<extent, .copy)) }
        runs = try Self.moved(acts, moves, elements)
    }

    /// Where the row of the original lies that becomes, or is read from, `row`.
    func sourceRow(of row: Int) -> Int {
        guard let run = runs.first(where: { $0.range.contains(row) }) else { return row }
        return run.source + row - run.range.lowerBound
    }

    /// Blocks move behind the elements of the channels in them, and are moved back before those are undone.
    private static func moved(
        _ acts: [(range: Range<Int>, action: Action)], _ moves: [TensorEdits.Edit], _ elements: ElementCache
    ) throws -> [Run] {
        guard !moves.isEmpty else {
            return acts.map { Run(range: $0.range, source: $0.range.lowerBound, action: $0.action) }
        }
        let blocks = BlockMoves(
            try moves.map { ($0.slice, try elements.permutation(at: $0.site)) })
        var runs: [Run] = []
        for (range, action) in acts {
            if case .copy = action {
                for piece in blocks.pieces(of: range) {
                    runs.append(run(piece.range, piece.image, .copy, isInverse: elements.isInverse))
                }
            } else {
                runs.append(run(range, blocks.image(of: range.lowerBound), action, isInverse: elements.isInverse))
            }
        }
        return runs.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    private static func run(_ range: Range<Int>, _ image: Int, _ action: Action, isInverse: Bool) -> Run {
        isInverse
            ? Run(range: range, source: image, action: action)
            : Run(range: image..<image + range.count, source: range.lowerBound, action: action)
    }

    private static func prepare(
        _ action: AxisAction, _ edit: TensorEdits.Edit, forRows: Bool, _ elements: ElementCache
    ) throws -> Action {
        switch action {
        case .monomial(let monomial) where monomial.isExact:
            return .monomial(source: monomial.source.map(Int32.init), scale: monomial.scale)
        case .torus(let torus) where forRows: return .torus(torus)
        case .rotation:
            let factors = edit.slice.factors(edit.slice.gain.flatMap { elements.gains[$0] } ?? [])
            let turn = try elements.turn(at: edit.site, in: Real.self)
            return elements.isInverse
                ? .turn(turn, first: turn.first, last: turn.last.before(factors.map { Real(1 / $0) }))
                : .turn(turn, first: turn.first.behind(factors.map { Real($0) }), last: turn.last)
        case .dense, .torus, .monomial: return .dense(Matrix<Real>(rounding: action.matrix))
        }
    }
}
