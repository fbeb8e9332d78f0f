import Architectures
import Checkpoints
import Symmetries
import TestSupport
import Testing

@Suite struct SiteTests {
    private func sites(_ name: String) throws -> [Site] {
        try Architecture.resolve(Checkpoint(opening: Fixtures.path(name))).sites
    }

    @Test func groupsFollowFromTheArchitecture() throws {
        func group(_ name: String, _ kind: Site.Kind) throws -> Group? {
            try sites(name).first { $0.kind == kind }?.group
        }
        let halfSplit = ChannelPairing(rotaryDimensions: 12, layout: .halfSplit)
        #expect(try group("bert", .queryKey) == .generalLinear(12))
        #expect(try group("gpt2", .queryKey) == .generalLinear(12))
        #expect(try group("llama", .queryKey) == .torus(halfSplit))
        #expect(try group("qwen3", .queryKey) == .pairSigns(ChannelPairing(rotaryDimensions: 16, layout: .halfSplit)))
        #expect(
            try group("qwen3", .queryKeyGain) == .pairScales(ChannelPairing(rotaryDimensions: 16, layout: .halfSplit)))
        #expect(try group("llama", .queryKeyGain) == nil)
        #expect(try group("bert", .mlp) == .monomial(56, scales: .unit))
        #expect(try group("bert_masked_lm", .mlp) == .monomial(56, scales: .positive))
        #expect(try group("llama", .mlp) == .monomial(56, scales: .signed))
        #expect(try group("vit", .valueOutput) == .generalLinear(12))
    }

    /// Layers with and without rotation in one model; squared ReLU is homogeneous, but not of degree one.
    @Test func groupsFollowFromTheLayerAndTheActivation() throws {
        func groups(_ layer: Int) throws -> [Group] {
            try sites("smollm3").filter { $0.layer == layer && $0.kind == .queryKey }.map(\.group)
        }
        let torus = Group.torus(ChannelPairing(rotaryDimensions: 8, layout: .halfSplit))
        #expect(try groups(0) == [torus, torus])
        #expect(try groups(1) == [.generalLinear(8), .generalLinear(8)])
        #expect(try sites("arcee").first { $0.kind == .mlp }?.group == .monomial(40, scales: .unit))
    }

    @Test(arguments: Fixtures.recorded)
    func slicesLieInsideTheirTensorsAndDoNotOverlap(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        var taken: [String: [(axis: Int, range: Range<Int>, across: Range<Int>)]] = [:]
        let sites = try sites(name)
        #expect(Set(sites.map(\.path)).count == sites.count)
        for site in sites {
            for slice in site.slices {
                let shape = try #require(checkpoint.tensors[slice.tensor]).matrixShape
                let (extent, other) = slice.axis == 0 ? (shape.rows, shape.columns) : (shape.columns, shape.rows)
                let range = slice.start..<slice.start + site.group.dimension * slice.width
                let across = slice.across ?? 0..<other
                #expect(range.upperBound <= extent && across.upperBound <= other)
                let neighbours = taken[slice.tensor, default: []].filter {
                    $0.axis == slice.axis && $0.across.overlaps(across)
                }
                #expect(!neighbours.contains { $0.range.overlaps(range) })
                taken[slice.tensor, default: []].append((slice.axis, range, across))
            }
        }
        // Every head's every channel is at some site, where queries and keys have one.
        for block in try Architecture.resolve(checkpoint).attention {
            let hasQueryKey = block.sites.contains { $0.kind == .queryKey }
            for projection in (hasQueryKey ? [block.query, block.key] : []) + [block.value, block.output] {
                let axis = projection == block.output ? 1 - projection.outputAxis : projection.outputAxis
                let ranges = taken[projection.weight, default: []].filter { $0.axis == axis }.map(\.range)
                let shape = try #require(checkpoint.tensors[projection.weight]).matrixShape
                let isShared = !hasQueryKey && [block.query, block.key].contains { $0.weight == projection.weight }
                let expected = isShared ? projection.outputCount : axis == 0 ? shape.rows : shape.columns
                #expect(ranges.reduce(0) { $0 + $1.count } == expected, "\(projection.weight)")
            }
        }
    }

    @Test func queryHeadsShareTheElementOfTheirKey() throws {
        let site = try #require(try sites("llama").first { $0.path == "layers.1.attention.qk.1" })
        let queries = site.slices.filter { $0.representation == .dual }
        #expect(
            queries.map(\.start) == [24, 36] && queries.allSatisfy { $0.tensor.hasSuffix("1.self_attn.q_proj.weight") })
        #expect(site.slices.filter { $0.representation == .direct }.map(\.start) == [12])
    }
}
