import Checkpoints

extension TensorEdits {
    /// Aim for a tile that needs no particular rows.
    private static let tileBytes = 1 << 20
    /// Rows that make a product with a head's matrix efficient.
    private static let productRows = 128
    /// Bytes of rows that a rotation makes at a time: each time it reads all of its run's rows.
    private static let turnedBytes = 32 << 20

    /// Runs of rows that can be computed one by one. They follow from shapes and groups alone, so that what is written depends on
    /// nothing else, and none crosses from one band to another, wherever whole blocks are moved.
    var rowTiles: [Range<Int>] {
        let rowBytes = max(shape.columns * tensor.type.bitWidth / 8, 1)
        let free = max(1, Self.tileBytes / rowBytes)
        let count =
            rotatesColumns
            ? DenseRotation.rows(width: shape.columns)
            : mixesColumns ? max(Self.productRows, min(free, 2 * Self.productRows)) : free
        // Rows of a tile; nil where all of a run's are mixed.
        var runs: [(range: Range<Int>, count: Int?)] = []
        var end = 0
        for edit in rows {
            runs.append((end..<edit.range.lowerBound, count))
            if edit.site.group.isRotation {
                let parts = max(1, (edit.range.count * rowBytes + Self.turnedBytes - 1) / Self.turnedBytes)
                runs.append((edit.range, (edit.range.count + parts - 1) / parts))
            } else {
                runs.append((edit.range, edit.site.group.isMonomial ? count : nil))
            }
            end = edit.range.upperBound
        }
        runs.append((end..<shape.rows, count))
        var band = 0
        let tiles = runs.flatMap { range, count in
            guard let count else { return [range] }
            var tiles: [Range<Int>] = []
            var start = range.lowerBound
            while start < range.upperBound {
                while band < bands.count, bands[band].rows.upperBound <= start { band += 1 }
                let edge = band < bands.count ? min(bands[band].rows.upperBound, range.upperBound) : range.upperBound
                tiles += stride(from: start, to: edge, by: count).map { $0..<min($0 + count, edge) }
                start = edge
            }
            return tiles
        }
        return rotatesColumns && bands.count == 1 ? Self.joined(tiles, upTo: count) : tiles
    }

    /// Whether every row is multiplied by a matrix as wide as it is.
    private var rotatesColumns: Bool { bands.contains { $0.edits.contains { $0.site.group.isDenseRotation } } }

    /// Neighbours put together while they have no more rows than `count`.
    private static func joined(_ tiles: [Range<Int>], upTo count: Int) -> [Range<Int>] {
        tiles.reduce(into: []) { joined, tile in
            if let last = joined.last, tile.upperBound - last.lowerBound <= count {
                joined[joined.count - 1] = last.lowerBound..<tile.upperBound
            } else {
                joined.append(tile)
            }
        }
    }
}
