import Checkpoints
import Protections
import TestSupport
import Testing

/// Outputs and keys of every version stay readable: one directory each under Tests/Fixtures.
@Suite struct VersionTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    @Test(arguments: [(1, "qwen3"), (2, "stablelm"), (3, "stablelm")])
    func losslessComesBackBitForBit(version: Int, model: String) throws {
        try restore(version, "lossless-" + model)
        #expect(try Files.tree(folder("r")) == Files.tree(Fixtures.path(model)))
    }

    @Test(arguments: [
        (1, "mergelock", "bert"), (2, "mergelock", "llama_classifier"), (3, "mergelock", "llama_classifier"),
        (3, "full", "mixtral"), (4, "full", "llama_tied"),
    ])
    func othersComeBackToRounding(version: Int, method: String, model: String) throws {
        try restore(version, "\(method)-\(model)")
        let (original, restored) = (
            try EditableModel(reading: Fixtures.path(model)), try EditableModel(reading: folder("r"))
        )
        for tensor in original.tensors where tensor.type == .f32 {
            let (a, b) = (try original.values(tensor.name), try restored.values(tensor.name))
            #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude < 2e-6 }, "\(tensor.name)")
        }
    }

    private func restore(_ version: Int, _ name: String) throws {
        let path = Fixtures.path("version-\(version)")
        let key = try SecretKey(readingFrom: path + "/key")
        let report = try Protector().restore(Checkpoint(opening: path + "/" + name), to: folder("r"), key: key)
        // Tags came with version 3.
        #expect(report.proof?.holds == (version < 3 ? nil : true))
    }
}
