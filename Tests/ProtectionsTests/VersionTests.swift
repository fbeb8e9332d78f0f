import Checkpoints
import Protections
import TestSupport
import Testing

/// Outputs and keys of every version stay readable: one directory each under Tests/Fixtures.
@Suite struct VersionTests {
    @Test func version1IsRestored() throws {
        let folder = try TemporaryDirectory()
        let version = Fixtures.path("version-1")
        let key = try SecretKey(readingFrom: version + "/key")
        _ = try Protector().restore(
            Checkpoint(opening: version + "/lossless-qwen3"), to: folder("qwen3"), key: key)
        #expect(try Files.tree(folder("qwen3")) == Files.tree(Fixtures.path("qwen3")))

        _ = try Protector().restore(Checkpoint(opening: version + "/mergelock-bert"), to: folder("bert"), key: key)
        let (original, restored) = (
            try EditableModel(reading: Fixtures.path("bert")), try EditableModel(reading: folder("bert"))
        )
        for tensor in original.tensors where tensor.type == .f32 {
            let (a, b) = (try original.values(tensor.name), try restored.values(tensor.name))
            #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude < 2e-6 }, "\(tensor.name)")
        }
    }
}
