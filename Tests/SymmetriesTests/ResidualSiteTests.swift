import Architectures
import Checkpoints
import Symmetries
import TestSupport
import Testing

/// Permutations of residual streams.
@Suite struct ResidualSiteTests {
    private func streams(_ name: String) throws -> [ResidualStream] {
        try Architecture.resolve(Checkpoint(opening: Fixtures.path(name))).residualStreams
    }

    @Test func groupsFollowFromTheArchitecture() throws {
        func found(_ name: String) throws -> [String] {
            try streams(name).map { stream in
                guard case .monomial(_, let scales) = stream.site?.group else { return "\(stream.name) none" }
                return "\(stream.name) \(scales)"
            }
        }
        #expect(try found("llama") == ["decoder signs"])
        // Norms that subtract the mean, and norms after the blocks.
        #expect(try found("gpt2") == ["decoder unit"])
        #expect(try found("gemma2") == ["decoder signs"])
        // Outputs that are hidden states.
        #expect(try found("bert") == ["encoder none"])
        // An encoder and a decoder with one table of tokens, and with two inputs.
        #expect(try found("t5") == ["encoder signs"])
        #expect(try found("whisper") == ["encoder unit", "decoder unit"])
        #expect(try found("clip") == ["text unit", "vision unit"])
        // The image's pooled states are compared with the text's as they are.
        #expect(try found("siglip") == ["text unit", "vision none"])
    }

    /// What holds no channel of a residual stream, whatever its shape: each head's or expert's own, maps from a latent space, buffers, scalars.
    private static let beside: Set = [
        "query_norm", "key_norm", "position_bias", "sinks", "buffer", "key_value", "task_head",
    ]
    /// Maps that read the stream: their biases hold none of its channels.
    private static let readers: Set = [
        "query", "key", "value", "query_key_value", "query_latent", "key_value_latent", "gate", "up", "gate_up",
        "router",
        "head_bias",
    ]

    /// A tensor that the stream's site forgets must be one that holds none of its channels.
    @Test(arguments: Fixtures.recorded)
    func everyTensorOfTheStreamIsMoved(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        let architecture = try Architecture.resolve(checkpoint)
        let hasOwnSpaces = architecture.stacks.contains { stack in
            switch stack.embedding {
            case .tokens(let embedding): embedding.projection != nil || stack.finalProjection != nil
            case .patches: false
            case .audio: true
            }
        }
        guard architecture.residualStreams.allSatisfy({ $0.site != nil }), !hasOwnSpaces else { return }
        let touched = Set(architecture.residualStreams.flatMap { $0.site?.slices ?? [] }.map(\.tensor))
        let mapsFromLatents = Set(architecture.attention.filter { $0.queryLatent != nil }.map(\.query.weight))
        for (tensor, role) in architecture.roles where !touched.contains(tensor) {
            let shape = try #require(checkpoint.tensors[tensor]).shape
            let isBias = (shape.count == 1 || tensor.hasSuffix("bias")) && Self.readers.contains(role.name)
            let isInner = role.name == "norm" && shape != [architecture.hiddenSize]
            #expect(
                isBias || isInner || Self.beside.contains(role.name) || mapsFromLatents.contains(tensor),
                "\(tensor): \(role.name)")
        }
    }

    /// No index is acted on twice, and none lies outside its tensor.
    @Test(arguments: Fixtures.recorded)
    func slicesFit(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        for site in try Architecture.resolve(checkpoint).outerSites where site.kind != .heads {
            var taken: [String: Set<Int>] = [:]
            for slice in site.slices {
                let shape = try #require(checkpoint.tensors[slice.tensor]).matrixShape
                let extent = slice.extent(channels: site.group.dimension)
                #expect(
                    extent.lowerBound >= 0 && extent.upperBound <= (slice.axis == 0 ? shape.rows : shape.columns),
                    "\(site.path) \(slice)")
                for place in extent {
                    #expect(taken["\(slice.tensor)/\(slice.axis)", default: []].insert(place).inserted)
                }
            }
            for names in site.exchanges {
                #expect(names.count == site.group.dimension)
                #expect(Set(names.map { checkpoint.tensors[$0]?.shape }).count == 1)
            }
        }
    }
}
