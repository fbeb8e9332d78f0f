import Checkpoints
import Protections
import TestSupport
import Testing

/// A method of another package is as good as one that is built in.
@Suite struct RegisteredMethodTests {
    @Test func itProtectsAndIsKnownByItsName() async {
        // What is registered stays so: in a process of its own it is in no other test's way.
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryDirectory()
            let own = ProtectionMethod(
                name: "neurons", summary: "hidden channels alone", siteKinds: [.mlp], samplers: .exact)
            let key = SecretKey(bytes: [UInt8](0..<32))
            let source = try Checkpoint(opening: Fixtures.path("llama"))
            let report = try Protector.unsynchronized.protect(
                source, to: folder("p"), key: key, options: ProtectionOptions(method: own))
            #expect(report.sites == 2 && report.manifest.steps.name == own.name)
            let protected = try Checkpoint(opening: folder("p"))
            #expect(throws: ProtectionError.manifest(path: protected.path, field: "method")) {
                try Manifest.read(from: protected)
            }
            try ProtectionMethod.register(own)
            #expect(ProtectionMethod(rawValue: "neurons") == own && ProtectionMethod.allCases.last == own)
            let restored = try Protector.unsynchronized.restore(protected, to: folder("r"), key: key)
            #expect(restored.proof?.isBitForBit == true)
            for taken in [own, .lossless] {
                #expect(throws: ProtectionError.nameTaken(method: taken.name)) {
                    try ProtectionMethod.register(taken)
                }
            }
        }
    }
}
