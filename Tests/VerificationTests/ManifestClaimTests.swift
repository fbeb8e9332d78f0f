import Checkpoints
import Protections
import TestSupport
import Testing
import Verification

/// A manifest is part of what is judged: it cannot widen the tolerance, and what it says wrongly is a fault.
@Suite struct ManifestClaimTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// A locked fixture whose manifest is changed, and perhaps a weight.
    private func models(
        _ name: String, _ changes: [(String, String)], isFaulty: Bool
    ) throws -> (original: Checkpoint, protected: Checkpoint) {
        let source = try Checkpoint(opening: Fixtures.path(name))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(method: .mergelock))
        var model = try EditableModel(reading: folder("p"))
        if isFaulty {
            try model.editFloats("model.layers.1.self_attn.v_proj.weight") { values in
                for row in 12..<24 {
                    let places = row * 48..<(row + 1) * 48
                    if let largest = places.max(by: { values[$0].magnitude < values[$1].magnitude }) {
                        values[largest] *= 1.2
                    }
                }
            }
        }
        try model.write(to: folder("m"))
        var text = String(decoding: try Files.read(folder("p") + "/" + Manifest.fileName), as: UTF8.self)
        for (old, new) in changes {
            #expect(text.contains(old))
            text = text.replacing(old, with: new)
        }
        try Files.write(text, to: folder("m") + "/" + Manifest.fileName)
        return (source, try Checkpoint(opening: folder("m")))
    }

    private static let claims: [[(String, String)]] = [
        [("\"predicted_rounding_multiple\": 1.0", "\"predicted_rounding_multiple\": 1e30")],
        [("\"predicted_rounding_multiple\": 1.0", "\"predicted_rounding_multiple\": 3")],
        [("\"dq\"", "\"gaussian\""), ("\"condition\": 10.0", "\"condition\": 1e6")],
        [("\"dq\"", "\"conditioned\""), ("\"condition\": 10.0", "\"condition\": 1e300")],
        [("\"dq\"", "\"exact\"")],
        [("\"qk\"", "\"mlp\"")],
        [("\"site_count\": 8", "\"site_count\": 7")],
        [("\"layers\": \"all\"", "\"layers\": [1]")],
    ]

    @Test(arguments: claims.indices)
    func aWrongClaimIsAFault(number: Int) throws {
        let (original, protected) = try models("llama_bf16", Self.claims[number], isFaulty: false)
        let report = try AlgebraicVerification(threads: 1).verify(original, protected)
        #expect(report.problems.contains { $0.hasPrefix(Manifest.fileName) }, "\(report.problems)")
    }

    /// The whole story told consistently still widens neither proof beyond what the weights show.
    @Test func aConsistentLieHidesNothing() throws {
        let honest = try models("llama_bf16", [], isFaulty: true)
        let plain = try AlgebraicVerification(threads: 1).verify(honest.original, honest.protected)
        let lie = [("\"dq\"", "\"conditioned\""), ("\"condition\": 10.0", "\"condition\": 1000.0")]
        Files.remove(folder("p"))
        Files.remove(folder("m"))
        let (original, protected) = try models("llama_bf16", lie, isFaulty: true)
        let report = try AlgebraicVerification(threads: 1).verify(original, protected)
        #expect(plain.failures.map(\.path) == ["layers.1.attention.vo.1"])
        #expect(report.failures.map(\.path) == ["layers.1.attention.vo.1"])
        let functional = FunctionalVerification(threads: 1)
        #expect(try functional.verify(original, protected).tolerance.multiple < 4)
    }
}
