import Architectures
import Checkpoints
import Evaluation
import Protections
import TestSupport
import Testing
import Verification

/// Faults planted into every family: both proofs must fail.
@Suite struct FamilyFaultTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    @Test(arguments: Fixtures.recorded, PlantedFault.allCases)
    func verificationFails(name: String, fault: PlantedFault) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        let architecture = try Architecture.resolve(source)
        guard source.tensors.values.contains(where: { $0.type == .f32 }) else { return }
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(repeatable: .mergelock))
        var model = try EditableModel(reading: folder("p"))
        guard try fault.plant(in: &model, architecture) else { return }
        try model.write(to: folder("changed"))
        let changed = try Checkpoint(opening: folder("changed"))
        #expect(try !AlgebraicVerification(threads: 1).verify(source, changed).holds)
        let inputs = try RecordedReference(name).inputs
        let report = try FunctionalVerification(threads: 1, precision: .f64, draws: 1)
            .verify(source, changed, inputs: inputs)
        #expect(!report.holds, "drift \(report.drift.relativeError), floor \(report.floor.relativeError)")
        #expect(report.comparison.firstFault != nil)
    }

    /// The block, and what in it would have to be put back.
    @Test(arguments: [
        (PlantedFault.headOrder, "layers.1.attention", ["self_attn.o_proj", "self_attn.v_proj"]),
        (.rotaryLayout, "layers.1.attention", ["self_attn.k_proj", "self_attn.q_proj"]),
        (.channelOrder, "layers.1.mlp", ["mlp.down_proj", "mlp.gate_proj", "mlp.up_proj"]),
    ])
    func theFaultIsFound(fault: PlantedFault, block: String, tensors: [String]) throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(repeatable: .mergelock))
        var model = try EditableModel(reading: folder("p"))
        #expect(try fault.plant(in: &model, Architecture.resolve(source)))
        try model.write(to: folder("changed"))
        let report = try FunctionalVerification(threads: 1).verify(source, Checkpoint(opening: folder("changed")))
        let found = try #require(report.comparison.firstFault)
        #expect(found.block == block)
        #expect(found.tensors == tensors.map { "model.layers.1.\($0).weight" })
    }

    /// A gain of a norm that no site may touch is named alone.
    @Test func aChangedNormIsNamed() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        try model.edit("model.layers.0.post_attention_layernorm.weight") { $0[3] *= 1.01 }
        try model.write(to: folder("changed"))
        let report = try FunctionalVerification(threads: 1)
            .verify(Checkpoint(opening: Fixtures.path("llama")), Checkpoint(opening: folder("changed")))
        let name = "model.layers.0.post_attention_layernorm.weight"
        #expect(report.comparison.firstFault?.block == "layers.0.mlp")
        #expect(report.comparison.firstFault?.tensors == [name])
    }

    /// One tensor off by some ulps, in a model that protection moved: what rounding does not explain is seen, what it does is not.
    @Test(arguments: [(0.0, true), (0.25, true), (30, false)])
    func aFewUlpsAreSeen(ulps: Double, holds: Bool) throws {
        let source = try Checkpoint(opening: Fixtures.path("bert"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(repeatable: .mergelock))
        var model = try EditableModel(reading: folder("p"))
        try model.edit("encoder.layer.1.attention.self.value.weight") { values in
            for i in values.indices { values[i] *= 1 + Float(ulps * 0x1p-23 * (i.isMultiple(of: 2) ? 1 : -1)) }
        }
        try model.write(to: folder("changed"))
        let report = try FunctionalVerification(threads: 1).verify(source, Checkpoint(opening: folder("changed")))
        #expect(report.holds == holds, "\(report.ratio)")
        #expect(report.comparison.firstFault?.block == (holds ? nil : "layers.1.attention"))
    }

    /// How often each fault found a place: none may silently plant nothing.
    @Test func everyFaultHasFamilies() throws {
        var planted: [PlantedFault: Int] = [:]
        for name in Fixtures.recorded {
            let architecture = try Architecture.resolve(Checkpoint(opening: Fixtures.path(name)))
            var model = try EditableModel(reading: Fixtures.path(name))
            guard model.tensors.contains(where: { $0.type == .f32 }) else { continue }
            for fault in PlantedFault.allCases where try fault.plant(in: &model, architecture) {
                planted[fault, default: 0] += 1
            }
        }
        #expect(planted[.headOrder] == Fixtures.recorded.count - 2)
        #expect(planted[.rotaryLayout, default: 0] >= 25 && planted[.expertOrder, default: 0] >= 8)
        #expect(planted[.gainOffset, default: 0] >= 4 && planted[.gainForgotten, default: 0] >= 6)
        #expect(planted[.channelOrder, default: 0] >= 60)
    }
}
