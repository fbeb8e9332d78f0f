import Architectures
import Checkpoints
import Evaluation
import TestSupport
import Testing

/// The products of a dense rotation, counted by hand.
@Suite struct RotationWorkTests {
    private func work(_ name: String) throws -> RotationWork? {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        return try RotationWork(checkpoint, Architecture.resolve(checkpoint))
    }

    /// 2·n·d for every matrix that meets the stream: readers and tables on axis 1, writers on axis 0.
    @Test(arguments: ["llama", "llama_tied", "llama_bf16"])
    func everyMatrixCounts(name: String) throws {
        let checkpoint = try Checkpoint(opening: Fixtures.path(name))
        let work = try #require(try work(name))
        let d = try #require(checkpoint.config?.root["hidden_size"]?.int)
        var (read, written) = (0, 0)
        for tensor in checkpoint.tensors.values where tensor.shape.count == 2 {
            if tensor.name.contains("o_proj") || tensor.name.contains("down_proj") {
                written += tensor.elementCount
            } else {
                read += tensor.elementCount
            }
        }
        // A tied head becomes a second matrix.
        if name == "llama_tied" { read += checkpoint.tensors["model.embed_tokens.weight"]?.elementCount ?? 0 }
        #expect(work.parts.map(\.width) == [d, d] && work.isSingle == (name == "llama_bf16"))
        for part in work.parts {
            #expect(part.operations == 2 * Double(d * (part.axis == 1 ? read : written)), "\(part)")
        }
        if work.isSingle { #expect(try work.rawSeconds(threads: 1) > 0) }
    }

    @Test func whatIsNotTurnedHasNone() throws { #expect(try work("bert") == nil) }
}
