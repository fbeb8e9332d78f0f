import Architectures
import Checkpoints
import Protections
import Rewriting
import Symmetries
import TestSupport
import Testing
import Verification

/// Streams of pictures: they begin with a convolution, and what blocks give may be multiplied by a factor for each channel (LayerScale).
@Suite struct TurnedVisionTests {
    private static let scale = "dinov2.encoder.layer.0.layer_scale2.lambda1"
    private static let down = "dinov2.encoder.layer.0.mlp.fc2"

    private let folder: TemporaryDirectory
    private let key = SecretKey(bytes: [UInt8](0..<32))

    init() throws { folder = try TemporaryDirectory() }

    private func protect(_ source: Checkpoint, to path: String) throws -> Checkpoint {
        var options = ProtectionOptions(repeatable: .full)
        options.residual = .hadamard
        _ = try Protector.unsynchronized.protect(source, to: path, key: key, options: options)
        return try Checkpoint(opening: path)
    }

    private func expectSeen(_ model: EditableModel, beside source: Checkpoint, _ what: String) throws {
        Files.remove(folder("c"))
        try model.write(to: folder("c"))
        try Files.write(Files.read(folder("p") + "/" + Manifest.fileName), to: folder("c") + "/" + Manifest.fileName)
        let pair = try ModelPair(source, Checkpoint(opening: folder("c")), threads: 1)
        #expect(!(try AlgebraicVerification(threads: 1).verify(pair).holds), "\(what), from the weights")
        #expect(!(try FunctionalVerification(threads: 1).verify(pair).holds), "\(what), from the outputs")
    }

    /// λ goes into the block's last map and its bias, and 1 is left: both proofs see where one of these was left out.
    @Test func factorsBehindBlocks() throws {
        let source = try Checkpoint(opening: Fixtures.path("dinov2_classifier"))
        let original = try EditableModel(reading: source.path)
        let locked = try EditableModel(reading: protect(source, to: folder("p")).path)
        let factors = try original.values(Self.scale)
        #expect(try locked.values(Self.scale).allSatisfy { $0 == 1 })
        #expect(factors.contains { $0 != 1 })
        // The same key and nonce give the same R: beside factors of 1 it turns the map as it is.
        var plain = original
        try plain.edit(Self.scale) { for i in $0.indices { $0[i] = 1 } }
        try plain.write(to: folder("m"))
        let unscaled = try EditableModel(reading: protect(Checkpoint(opening: folder("m")), to: folder("q")).path)
        var left = locked
        try left.edit(Self.scale) { $0 = factors }
        try expectSeen(left, beside: source, "folded, and left")
        for part in [".weight", ".bias"] {
            var model = locked
            let values = try unscaled.values(Self.down + part)
            try model.edit(Self.down + part) { $0 = values }
            try expectSeen(model, beside: source, "not folded into \(part)")
            left = model
            try left.edit(Self.scale) { $0 = factors }
            try expectSeen(left, beside: source, "left, and not folded into \(part)")
        }
    }

    /// A factor that is zero leaves nothing to restore.
    @Test func vanishingFactors() throws {
        var model = try EditableModel(reading: Fixtures.path("dinov2_classifier"))
        try model.edit(Self.scale) { $0[3] = 0 }
        try model.write(to: folder("m"))
        #expect(throws: RewritingError.vanishingGain(tensor: Self.scale, channel: 3)) {
            try protect(Checkpoint(opening: folder("m")), to: folder("p"))
        }
    }

    /// A colour of a channel, a position and the vector before the patches, each as it was: both proofs see it.
    @Test(arguments: ["vit", "deit_classifier", "dinov2_classifier"])
    func whatBeginsTheStream(name: String) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let original = try EditableModel(reading: source.path)
        let locked = try EditableModel(reading: protect(source, to: folder("p")).path)
        let roles = ["patch_embedding", "class_embedding", "position_embedding"]
        var seen: Set<String> = []
        for (tensor, role) in try Architecture.resolve(source).roles where roles.contains(role.name) {
            seen.insert(role.name)
            let size = try original.values(tensor).count
            for range in [0..<min(3, size), max(0, size - 3)..<size] {
                var model = locked
                let values = try original.values(tensor)
                try model.edit(tensor) { $0.replaceSubrange(range, with: values[range]) }
                try expectSeen(model, beside: source, "\(tensor) \(range)")
            }
        }
        #expect(seen == Set(roles))
    }

    private static let ofTheStreamAlone = ["patch_embedding", "position_embedding", "task_head"]

    /// Filters of pictures lie in few directions; what reads the stream tells of the others.
    @Test func fewDirections() throws {
        let name = "vit_msn_classifier"
        var model = try EditableModel(reading: Fixtures.path(name))
        for (tensor, role) in try Architecture.resolve(Checkpoint(opening: Fixtures.path(name))).roles
        where Self.ofTheStreamAlone.contains(role.name) {
            let channels = role.name == "patch_embedding" ? 0 : 1
            try model.edit(tensor) { values in
                let count = values.count
                for i in 0..<count {
                    let channel = channels == 0 ? i / max(count / 32, 1) : i % 32
                    values[i] *= channel < 4 ? 1 : 1e-6
                }
            }
        }
        try model.write(to: folder("m"))
        let source = try Checkpoint(opening: folder("m"))
        let pair = try ModelPair(source, protect(source, to: folder("p")), threads: 1)
        let report = try AlgebraicVerification(threads: 1).verify(pair)
        #expect(report.holds, "\(report.failures.prefix(1)) \(report.problems)")
        #expect(try FunctionalVerification(threads: 1).verify(pair).holds)
    }

    /// Where too little tells of the matrix, that is what is said, and nothing is claimed.
    @Test func tooLittleTellsTheMatrix() throws {
        let name = "vit_msn_classifier"
        var model = try EditableModel(reading: Fixtures.path(name))
        for (tensor, role) in try Architecture.resolve(Checkpoint(opening: Fixtures.path(name))).roles
        where Self.ofTheStreamAlone.contains(role.name) || role.name == "up" && !tensor.hasSuffix("bias") {
            try model.edit(tensor) { for i in $0.indices { $0[i] = i == 0 ? 0.5 : 0 } }
        }
        try model.write(to: folder("m"))
        let source = try Checkpoint(opening: folder("m"))
        let report = try AlgebraicVerification(threads: 1).verify(source, protect(source, to: folder("p")))
        #expect(!report.holds)
        #expect(report.problems.contains { $0.contains("nothing is proved of it") }, "\(report.problems)")
    }
}
