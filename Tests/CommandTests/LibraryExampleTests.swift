import Checkpoints
import Foundation
import TestSupport
import Testing
import Verification

/// The library as a user's program meets it: one product, one import, ten lines.
@Suite struct LibraryExampleTests {
    @Test(arguments: ["bert", "llama_bf16"])
    func itRuns(model: String) throws {
        let folder = try TemporaryDirectory()
        try Files.link(folder("model"), to: Fixtures.path(model))
        let outcome = try CommandRunner.example("LibraryExample", in: folder.path)
        #expect(outcome.code == 0 && outcome.output.hasPrefix("same function: true"), "\(outcome)")
        #expect(Files.permissions(folder("key")) == 0o600)
        let verified = try AlgebraicVerification().verify(
            Checkpoint(opening: folder("model")), Checkpoint(opening: folder("locked")))
        #expect(verified.holds && !verified.sites.isEmpty && verified.unmoved.isEmpty)
        let back = try Restoration(
            original: Checkpoint(opening: folder("model")), restored: Checkpoint(opening: folder("back")))
        #expect(back.largestError < (model.hasSuffix("16") ? 1e-2 : 1e-6))
    }
}
