/// Where whole blocks of indices along one axis of a tensor go: permutations of heads, stage by stage.
public struct BlockMoves: Sendable {
    private struct Stage: Sendable {
        let slice: Site.Slice
        /// The block that each block becomes.
        let target: [Int]
    }

    /// 0 for rows, 1 for columns.
    public let axis: Int
    private let stages: [Stage]

    /// - Parameter moves: in the order in which they act; slices of one site are disjoint.
    public init(_ moves: [(slice: Site.Slice, permutation: Monomial)]) {
        axis = moves.first?.slice.axis ?? 0
        stages = moves.map { Stage(slice: $0.slice, target: $0.permutation.inverse.source) }
    }

    /// The index that `index` becomes.
    public func image(of index: Int) -> Int {
        stages.reduce(index) { index, stage in
            let offset = index - stage.slice.start
            let (block, rest) = (offset / stage.slice.stride, offset % stage.slice.stride)
            guard offset >= 0, block < stage.target.count, rest < stage.slice.width else { return index }
            return stage.slice.start + stage.target[block] * stage.slice.stride + rest
        }
    }

    /// Runs of `range` that stay together, with where each goes.
    public func pieces(of range: Range<Int>) -> [(range: Range<Int>, image: Int)] {
        var pieces: [(range: Range<Int>, image: Int)] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let image = image(of: start)
            var end = start + 1
            while end < range.upperBound, self.image(of: end) == image + end - start { end += 1 }
            pieces.append((start..<end, image))
            start = end
        }
        return pieces
    }
}
