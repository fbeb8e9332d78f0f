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
        (3, "full", "mixtral"), (4, "full", "llama_tied"), (5, "params+lossless", "stablelm"),
        (6, "mergebarrier", "bert_classifier"),
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

    /// What changed weights is kept, and the lock behind it undone to the bit.
    @Test func changedWeightsComeBackAsTheyWereLocked() throws {
        let report = try restore(6, "mergeguard+lossless-stablelm")
        #expect(report.proof?.isBitForBit == true && report.manifest.changedBy == ["mergeguard"])
        let (original, restored) = (
            try EditableModel(reading: Fixtures.path("stablelm")), try EditableModel(reading: folder("r"))
        )
        let differing = original.tensors.filter { tensor in
            !restored.tensors.contains { $0.name == tensor.name && $0.bytes == tensor.bytes }
        }
        #expect(Set(differing.map(\.name)) == Set(report.manifest.changed))
    }

    /// The lock is undone, and polynomials stand for activations as before.
    @Test func polynomialsStay() throws {
        let report = try restore(7, "mergebarrier-stablelm")
        let (original, restored) = (
            try EditableModel(reading: Fixtures.path("stablelm")), try EditableModel(reading: folder("r"))
        )
        #expect(report.manifest.changedBy == ["mergebarrier"] && report.manifest.steps.all[0].ffn == .fit)
        let added = restored.tensors.filter { tensor in !original.tensors.contains { $0.name == tensor.name } }
        #expect(!added.isEmpty && added.allSatisfy { report.manifest.changed.contains($0.name) })
        for tensor in original.tensors where !report.manifest.changed.contains(tensor.name) {
            let (a, b) = (try original.floats(tensor.name), try restored.floats(tensor.name))
            #expect(zip(a, b).allSatisfy { ($0 - $1).magnitude < 2e-6 }, "\(tensor.name)")
        }
    }

    @discardableResult
    private func restore(_ version: Int, _ name: String) throws -> Protector.Report {
        let path = Fixtures.path("version-\(version)")
        let key = try SecretKey(readingFrom: path + "/key")
        let report = try Protector().restore(Checkpoint(opening: path + "/" + name), to: folder("r"), key: key)
        // Tags came with version 3.
        #expect(report.proof?.holds == (version < 3 ? nil : true))
        return report
    }
}
