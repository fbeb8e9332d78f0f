import Checkpoints
import Glibc
import Symmetries

/// Which part of a tensor the sites act on, so that everything beside it can be held to the bit.
struct SiteCoverage {
    /// Rows that share their slices, with the columns in which something acts, by ascending start.
    private struct Band {
        let rows: Range<Int>
        var columns: [Range<Int>]
    }

    private var bands: [String: [Band]] = [:]
    private let placement: Placement

    /// - Parameter sites: all that may act on channels of the checkpoint's tensors, with the slices at which they are proved.
    init(_ sites: [(site: Site, slices: [Site.Slice])], _ placement: Placement, in checkpoint: Checkpoint) {
        self.placement = placement
        for (site, slices) in sites {
            for slice in slices {
                guard let tensor = checkpoint.tensors[slice.tensor] else { continue }
                let (rows, columns) = tensor.matrixShape
                let range = slice.start..<slice.start + site.group.dimension * slice.width
                include(
                    tensor.name, rows: slice.axis == 0 ? range : slice.across ?? 0..<rows,
                    columns: slice.axis == 0 ? 0..<columns : range)
            }
        }
        for name in bands.keys {
            bands[name]?.sort { ($0.rows.lowerBound, $0.rows.upperBound) < ($1.rows.lowerBound, $1.rows.upperBound) }
        }
    }

    private mutating func include(_ tensor: String, rows: Range<Int>, columns: Range<Int>) {
        if let place = bands[tensor]?.lastIndex(where: { $0.rows == rows }) {
            bands[tensor]?[place].columns.append(columns)
        } else {
            bands[tensor, default: []].append(Band(rows: rows, columns: [columns]))
        }
    }

    /// Whether any site acts on a tensor.
    func contains(_ tensor: String) -> Bool { bands[tensor] != nil || !placement.leaves(tensor) }

    /// Where a tensor on which sites act differs beside them; nil where it does not.
    func difference(_ tensor: TensorRecord, _ original: Checkpoint, _ protected: Checkpoint) -> String? {
        defer {
            original.releasePages(of: tensor)
            protected.releasePages(ofTensor: placement.tensor(tensor.name))
        }
        guard let twin = PlacedTensor(tensor, placement, in: protected) else { return "its type or shape" }
        guard let a = original.bytes(of: tensor).baseAddress else { return nil }
        let (rows, columns) = tensor.matrixShape
        let width = tensor.type.bitWidth / 8
        var (before, after) = (PageWindow(original, tensor), twin.window)
        func differs(row: Int, _ range: Range<Int>) -> Bool {
            defer {
                before.didRead(range.count * width)
                after.didRead(range.count * width)
            }
            return memcmp(
                a + (row * columns + range.lowerBound) * width, twin.row(row) + range.lowerBound * width,
                range.count * width) != 0
        }
        var end = 0
        for band in (bands[tensor.name] ?? []) + [Band(rows: rows..<rows, columns: [])] {
            for row in end..<max(end, band.rows.lowerBound) where differs(row: row, 0..<columns) { return "row \(row)" }
            let gaps = Self.gaps(between: band.columns, in: 0..<columns)
            for row in gaps.isEmpty ? 0..<0 : band.rows {
                for gap in gaps where differs(row: row, gap) {
                    return "row \(row), columns \(gap.lowerBound) to \(gap.upperBound - 1)"
                }
            }
            end = max(end, band.rows.upperBound)
        }
        return nil
    }

    /// The same of a tensor that is seen through random vectors: where it differs by more than rounding.
    func difference(_ tensor: TensorRecord, _ sketch: Sketch) -> String? {
        guard let own = sketch.original.tensors[tensor.name], let place = sketch.axis(of: tensor.name) else {
            return nil
        }
        let covered = (bands[tensor.name] ?? []).flatMap { band in band.columns.map { (band.rows, $0) } }
        let worst = SketchedTensor(tensor: own, axis: place.axis, vectors: place.vectors, covered: covered)
            .worstError(sketch.original, sketch.protected, placement)
        let tolerance = sketch.tolerance([tensor.name], types: [tensor.type])
        return worst.value > tolerance.relative ? worst.place : nil
    }

    private static func gaps(between ranges: [Range<Int>], in whole: Range<Int>) -> [Range<Int>] {
        var gaps: [Range<Int>] = []
        var end = whole.lowerBound
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > end { gaps.append(end..<min(range.lowerBound, whole.upperBound)) }
            end = max(end, range.upperBound)
        }
        return end < whole.upperBound ? gaps + [end..<whole.upperBound] : gaps
    }
}
