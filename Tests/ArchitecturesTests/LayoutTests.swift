import Architectures
import Checkpoints
import TestSupport
import Testing

/// What blocks say about projections, held against the stored tensors.
@Suite struct LayoutTests {
    private struct Model {
        let checkpoint: Checkpoint
        let architecture: Architecture

        init(_ name: String) throws {
            checkpoint = try Checkpoint(opening: Fixtures.path(name))
            architecture = try Architecture.resolve(checkpoint)
        }

        func shape(_ name: String?) -> [Int]? { name.flatMap { checkpoint.tensors[$0]?.shape } }
    }

    private func check(_ projection: Projection, _ model: Model, isFused: Bool) throws {
        let shape = try #require(model.shape(projection.weight))
        #expect(shape.count == 2 && shape[1 - projection.outputAxis] == projection.inputCount)
        let end = projection.outputOffset + projection.outputCount
        #expect(isFused ? shape[projection.outputAxis] >= end : shape[projection.outputAxis] == end)
        if projection.bias != nil { #expect(model.shape(projection.bias) == [shape[projection.outputAxis]]) }
        // The bias beside the weight, whenever the checkpoint has one.
        let name = projection.weight.dropLast("weight".count) + "bias"
        #expect(projection.bias == (model.checkpoint.tensors[String(name)] == nil ? nil : String(name)))
    }

    @Test(arguments: Fixtures.names)
    func projectionsCoverTheirTensors(name: String) throws {
        let model = try Model(name)
        for block in model.architecture.attention {
            let fused = [block.query, block.key, block.value]
            let isFused = Set(fused.map(\.weight)).count == 1
            for projection in fused { try check(projection, model, isFused: isFused) }
            try check(block.output, model, isFused: false)
            if isFused {
                let extent = model.shape(block.query.weight)?[block.query.outputAxis]
                let ranges = fused.map { $0.outputOffset..<$0.outputOffset + $0.outputCount }
                #expect(ranges.flatMap(Array.init) == Array(0..<(extent ?? 0)))
            }
        }
        for block in model.architecture.mlp {
            for projection in [block.up, block.down] + [block.gate].compactMap(\.self) {
                try check(projection, model, isFused: false)
            }
            #expect(block.up.outputCount == block.intermediateSize && block.down.inputCount == block.intermediateSize)
        }
    }

    /// Heads in the order of groups fill their axis without gap or overlap.
    @Test(arguments: Fixtures.names)
    func headsTileTheirAxis(name: String) throws {
        for block in try Model(name).architecture.attention {
            let members = block.heads / block.keyValueHeads
            let places = { (projection: Projection, members: Int) in
                (0..<block.keyValueHeads).flatMap { group in
                    (0..<members).flatMap { member in
                        projection.headLayout.map { Array($0.range(group: group, member: member)) } ?? []
                    }
                }
            }
            for (projection, members) in [(block.query, members), (block.key, 1), (block.value, 1)] {
                let start = projection.outputOffset
                #expect(places(projection, members) == Array(start..<start + projection.outputCount))
            }
            #expect(places(block.output, members) == Array(0..<block.output.inputCount))
        }
    }

    @Test(
        arguments: zip(
            Fixtures.names, [false, false, false, false] + Array(repeating: true, count: 10) + [false, false]))
    func rotaryAndGatesAreWhereTheFamilyHasThem(name: String, isLlamaLike: Bool) throws {
        let architecture = try Model(name).architecture
        for block in architecture.attention {
            #expect((block.rotary != nil) == isLlamaLike)
            #expect(block.rotary.map(\.dimensions) ?? block.headDimension == block.headDimension)
            #expect((block.queryKeyNorm != nil) == (name == "qwen3"))
            #expect(isLlamaLike == (block.keyValueHeads == 2))
        }
        for block in architecture.mlp { #expect((block.gate != nil) == isLlamaLike) }
    }

    @Test func activationsFollowTheConfig() throws {
        let found = try ["bert", "bert_masked_lm", "clip_vision", "gpt2", "llama"].map {
            try Model($0).architecture.mlp[0].activation
        }
        #expect(found == [.gelu, .relu, .quickGelu, .geluTanh, .silu])
        #expect(found.map(\.isPositivelyHomogeneous) == [false, true, false, false, false])
    }
}
