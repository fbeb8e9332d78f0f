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
    private let placement: HeadPlacement

    /// - Parameter sites: all that may act on channels of the checkpoint's tensors.
    init(_ sites: [Site], _ placement: HeadPlacement, in checkpoint: Checkpoint) {
        self.placement = placement
        for site in sites {
            for slice in site.slices {
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
    func contains(_ tensor: String) -> Bool { bands[tensor] != nil || placement.moves(of: tensor) != nil }

    /// Where a tensor on which sites act differs beside them; nil where it does not.
    func difference(_ tensor: TensorRecord, _ original: Checkpoint, _ protected: Checkpoint) -> String? {
        guard contains(tensor.name), let twin = protected.tensors[tensor.name], twin.shape == tensor.shape,
            twin.type == tensor.type, let a = original.bytes(of: tensor).baseAddress,
            let b = protected.bytes(of: twin).baseAddress
        else { return nil }
        let (rows, columns) = tensor.matrixShape
        let width = tensor.type.bitWidth / 8
        let moves = placement.moves(of: tensor.name)
        func differs(row: Int, _ range: Range<Int>) -> Bool {
            func isSame(_ range: Range<Int>, _ row: Int, at twinRow: Int, _ twinColumn: Int) -> Bool {
                memcmp(
                    a + (row * columns + range.lowerBound) * width, b + (twinRow * columns + twinColumn) * width,
                    range.count * width) == 0
            }
            guard let moves else { return !isSame(range, row, at: row, range.lowerBound) }
            guard moves.axis == 1 else { return !isSame(range, row, at: moves.image(of: row), range.lowerBound) }
            return !moves.pieces(of: range).allSatisfy { isSame($0.range, row, at: row, $0.image) }
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
