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

    @Test(arguments: Fixtures.names)
    func slicesLieInsideTheirTensorsAndDoNotOverlap(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        var taken: [String: Set<Int>] = [:]
        let sites = try sites(name)
        #expect(Set(sites.map(\.path)).count == sites.count)
        for site in sites {
            for slice in site.slices {
                let tensor = try #require(checkpoint.tensors[slice.tensor])
                let range = slice.start..<slice.start + site.group.dimension
                #expect(range.upperBound <= tensor.shape[slice.axis])
                #expect(taken[slice.tensor, default: []].isDisjoint(with: range))
                taken[slice.tensor, default: []].formUnion(range)
            }
        }
        // Every head's every channel is at some site.
        let attention = try Architecture.resolve(checkpoint).attention
        for block in attention {
            for projection in [block.query, block.key, block.value, block.output] {
                let axis = projection == block.output ? 1 - projection.outputAxis : projection.outputAxis
                #expect(taken[projection.weight]?.count == checkpoint.tensors[projection.weight]?.shape[axis])
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
