import Architectures
import Checkpoints
import LinearAlgebra
import Symmetries
import TestSupport
import Testing

/// Permutations of whole heads.
@Suite struct HeadSiteTests {
    private func sites(_ name: String) throws -> [Site] {
        try Architecture.resolve(Checkpoint(opening: Fixtures.path(name))).headSites
    }

    @Test func groupsFollowFromTheArchitecture() throws {
        func found(_ name: String) throws -> [String] { try sites(name).map { "\($0.path) \($0.group)" } }
        // Four query heads on two key/value heads, in two layers.
        #expect(
            try found("llama").prefix(3) == [
                "layers.0.attention.members.0 S_2", "layers.0.attention.members.1 S_2", "layers.0.attention.heads S_2",
            ])
        #expect(try found("bert") == ["layers.0.attention.heads S_4", "layers.1.attention.heads S_4"])
        // One key/value head for all.
        #expect(try found("gpt_bigcode").allSatisfy { $0.contains(".members.0") })
        // Heads that are told apart by a bias, or by norms in tensors of their own.
        for name in ["bloom", "falcon_alibi", "stablelm_qk"] { #expect(try found(name).isEmpty, "\(name)") }
        // Of T5 only what reads the encoder has no bias.
        #expect(
            try sites("t5").map(\.path) == [
                "decoder.layers.0.cross_attention.heads", "decoder.layers.1.cross_attention.heads",
            ])
        #expect(try sites("gpt_oss").allSatisfy { $0.slices.contains { $0.part == .sinks } })
    }

    /// Every index of queries, keys, values, outputs and sinks belongs to one head of each site, and no two slices overlap.
    @Test(arguments: Fixtures.recorded)
    func slicesAreWholeHeads(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        for site in try Architecture.resolve(checkpoint).headSites {
            var taken: [String: Set<Int>] = [:]
            for slice in site.slices {
                let shape = try #require(checkpoint.tensors[slice.tensor]).matrixShape
                let extent = slice.extent(channels: site.group.dimension)
                #expect(extent.lowerBound >= 0 && extent.upperBound <= (slice.axis == 0 ? shape.rows : shape.columns))
                for channel in 0..<site.group.dimension {
                    for index in 0..<slice.width {
                        let place = slice.start + channel * slice.stride + index
                        #expect(taken["\(slice.tensor)/\(slice.axis)", default: []].insert(place).inserted)
                    }
                }
            }
        }
    }

    /// Stage by stage against a list that is rearranged block by block.
    @Test func blocksMove() {
        var stream = KeyedRandomStream(secret: [], info: "blocks")
        func slice(_ start: Int, width: Int, stride: Int) -> Site.Slice {
            .init(
                tensor: "t", axis: 0, start: start, representation: .permutation, part: .key, width: width,
                stride: stride)
        }
        // Two groups of [q q q k], three channels each, behind two indices that stay.
        let members = [slice(2, width: 3, stride: 3), slice(14, width: 3, stride: 3)]
        let groups = (0..<4).map { slice(2 + 3 * $0, width: 3, stride: 12) }
        for _ in 0..<50 {
            func shuffled(_ count: Int) -> Monomial {
                var source = Array(0..<count)
                for i in source.indices { source.swapAt(i, stream.nextIndex(below: count)) }
                return Monomial(source: source, scale: [Double](repeating: 1, count: count))
            }
            let first = members.map { ($0, shuffled(3)) }
            let exchange = shuffled(2)
            let moves = first + groups.map { ($0, exchange) }
            var list = Array(0..<26)
            for (slice, permutation) in moves {
                let before = list
                for block in 0..<permutation.dimension {
                    for index in 0..<slice.width {
                        list[slice.start + block * slice.stride + index] =
                            before[slice.start + permutation.source[block] * slice.stride + index]
                    }
                }
            }
            let found = BlockMoves(moves)
            for index in list.indices { #expect(list[found.image(of: index)] == index) }
            var covered: [Int] = []
            for piece in found.pieces(of: 1..<25) {
                for index in piece.range {
                    #expect(found.image(of: index) == piece.image + index - piece.range.lowerBound)
                    covered.append(index)
                }
            }
            #expect(covered == Array(1..<25))
        }
    }
}
