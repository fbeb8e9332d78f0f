import Architectures
import Checkpoints
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Verification passes what is right and fails every planted fault.
@Suite struct PlantedFaultTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// Protects a fixture, changes the result, and verifies it.
    private func report(
        _ name: String, _ method: ProtectionMethod = .mergelock, sampler: Sampler? = nil,
        change: (inout EditableModel, EditableModel) throws -> Void = { _, _ in }
    ) throws -> VerificationReport {
        let source = try Checkpoint(opening: Fixtures.path(name))
        var options = ProtectionOptions(repeatable: method)
        options.sampler = sampler
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)), options: options)
        var model = try EditableModel(reading: folder("p"))
        try change(&model, try EditableModel(reading: Fixtures.path(name)))
        try model.write(to: folder("changed"))
        try Files.write(
            try Files.read(folder("p") + "/" + Manifest.fileName), to: folder("changed") + "/" + Manifest.fileName)
        defer {
            Files.remove(folder("p"))
            Files.remove(folder("changed"))
        }
        return try AlgebraicVerification().verify(source, try Checkpoint(opening: folder("changed")))
    }

    @Test(arguments: Fixtures.recorded, ProtectionMethod.locks)
    func whatIsRightPasses(name: String, method: ProtectionMethod) throws {
        let report: VerificationReport
        do { report = try self.report(name, method) } catch ProtectionError.noSites where method == .mergebarrier {
            // Norms of queries and keys may leave nothing to mirror.
            return
        }
        #expect(report.holds, "\(report.problems) \(report.failures)")
        #expect(report.displacement > (method == .mergebarrier ? 0.03 : 0.1))
        let kinds = method.siteKinds
        #expect(report.unmoved.allSatisfy { !kinds.contains($0.kind) })
    }

    @Test(arguments: ["bert", "llama", "llama_bf16", "gpt2", "qwen3"], [Sampler.conditioned, .orthogonal])
    func otherSamplersPass(name: String, sampler: Sampler) throws {
        let report = try report(name, sampler: sampler)
        #expect(report.holds, "\(report.problems) \(report.failures)")
    }

    private func failing(_ report: VerificationReport, _ path: String) {
        #expect(!report.holds)
        #expect(report.failures.map(\.path) == [path])
    }

    @Test func oneSignInVProj() throws {
        let report = try report("llama") { model, _ in
            try model.edit("model.layers.1.self_attn.v_proj.weight") { $0[48 * 13 + 7] *= -1 }
        }
        failing(report, "layers.1.attention.vo.1")
    }

    /// The same in bf16, where rounding is coarse.
    @Test func oneSignInSixteenBits() throws {
        let report = try report("llama_bf16") { model, _ in
            let place = try model.index("model.layers.0.self_attn.o_proj.weight")
            // The largest entry of a row, so that the change is no rounding.
            let bytes = model.tensors[place].bytes
            func magnitude(_ i: Int) -> Int { Int(bytes[2 * i + 1] & 0x7f) << 8 | Int(bytes[2 * i]) }
            let largest = (0..<12).max { magnitude($0) < magnitude($1) } ?? 0
            model.tensors[place].bytes[2 * largest + 1] ^= 0x80
        }
        failing(report, "layers.0.attention.vo.0")
    }

    @Test func oneHeadTransposed() throws {
        let report = try report("bert") { model, _ in
            try model.edit("encoder.layer.0.attention.self.value.weight") { values in
                // The square block of head 2 on the first 12 inputs.
                for i in 0..<12 {
                    for j in 0..<i { values.swapAt((24 + i) * 48 + j, (24 + j) * 48 + i) }
                }
            }
        }
        failing(report, "layers.0.attention.vo.2")
    }

    /// Without rotary embeddings a key's bias does not reach the outputs; the algebra must see it all the same.
    @Test func aKeyBiasLeftBehind() throws {
        let report = try report("bert") { model, original in
            let place = try model.index("encoder.layer.1.attention.self.key.bias")
            model.tensors[place] = original.tensors[try original.index("encoder.layer.1.attention.self.key.bias")]
        }
        #expect(Set(report.failures.map(\.path)) == Set((0..<4).map { "layers.1.attention.qk.\($0)" }))
    }

    /// A manifest cannot talk verification out of seeing a fault.
    @Test func aManifestThatClaimsAnyRounding() throws {
        let source = try Checkpoint(opening: Fixtures.path("llama"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(repeatable: .mergelock))
        var model = try EditableModel(reading: folder("p"))
        try model.edit("model.layers.1.self_attn.v_proj.weight") { values in
            let row = 48 * 13..<48 * 14
            if let largest = row.max(by: { values[$0].magnitude < values[$1].magnitude }) { values[largest] *= -1 }
        }
        try model.write(to: folder("m"))
        let claim = String(decoding: try Files.read(folder("p") + "/" + Manifest.fileName), as: UTF8.self)
            .replacing("\"predicted_rounding_multiple\": 1.0", with: "\"predicted_rounding_multiple\": 1e30")
        try Files.write(claim, to: folder("m") + "/" + Manifest.fileName)
        failing(try AlgebraicVerification().verify(source, Checkpoint(opening: folder("m"))), "layers.1.attention.vo.1")
    }

    @Test func oneTensorOfALayerSkipped() throws {
        let report = try report("llama") { model, original in
            let name = "model.layers.0.self_attn.o_proj.weight"
            model.tensors[try model.index(name)] = original.tensors[try original.index(name)]
        }
        #expect(report.failures.map(\.path) == ["layers.0.attention.vo.0", "layers.0.attention.vo.1"])
    }

    /// A whole layer left as it was computes the same, but it is not what the manifest says.
    @Test func oneLayerSkipped() throws {
        let report = try report("llama") { model, original in
            for place in model.tensors.indices where model.tensors[place].name.contains("layers.1.self_attn") {
                model.tensors[place] = original.tensors[try original.index(model.tensors[place].name)]
            }
        }
        #expect(report.failures.isEmpty && !report.holds)
        #expect(report.unmoved.filter { $0.kind != .mlp }.count == 4 && report.problems.count == 4)
    }

    @Test func rotaryPairsTakenInterleaved() throws {
        let source = try EditableModel(reading: Fixtures.path("llama"))
        let report = try report("llama") { model, _ in
            // One pair of head 0 in the wrong layout: channels 0 and 1 turned by a right angle in query and key.
            for (name, heads) in [("q_proj", [0, 1]), ("k_proj", [0])] {
                let tensor = "model.layers.0.self_attn.\(name).weight"
                let original = try source.values(tensor)
                try model.edit(tensor) { values in
                    for head in heads {
                        for channel in 0..<12 {
                            let row = head * 12 + channel
                            for j in 0..<48 {
                                let turned =
                                    channel % 2 == 0 ? -original[(row + 1) * 48 + j] : original[(row - 1) * 48 + j]
                                values[row * 48 + j] = turned
                            }
                        }
                    }
                }
            }
        }
        failing(report, "layers.0.attention.qk.0")
    }

    @Test func rowsOfAnMLPExchangedInOneTensorOnly() throws {
        for name in ["model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight"] {
            let report = try report("llama", .lossless) { model, _ in
                try model.edit(name) { values in for j in 0..<48 { values.swapAt(3 * 48 + j, 9 * 48 + j) } }
            }
            failing(report, "layers.0.mlp")
        }
    }

    @Test func oneSignInAnMLP() throws {
        for (name, fixture) in [
            ("model.layers.1.mlp.down_proj.weight", "llama"), ("encoder.layer.1.intermediate.dense.bias", "bert"),
            ("transformer.h.1.mlp.c_proj.weight", "gpt2"),
            ("bert.encoder.layer.1.output.dense.weight", "bert_masked_lm"),
        ] {
            let report = try report(fixture, .lossless) { model, _ in try model.edit(name) { $0[5] *= -1 } }
            failing(report, "layers.1.mlp")
        }
    }

    @Test func signsUnderAQueryNormMustBeShared() throws {
        let report = try report("qwen3") { model, _ in
            try model.edit("model.layers.0.self_attn.k_proj.weight") { values in for j in 0..<48 { values[j] *= -1 } }
        }
        failing(report, "layers.0.attention.qk.0")
    }

    @Test func aGainForgottenUnderAQueryNorm() throws {
        let report = try report("qwen3") { model, original in
            let name = "model.layers.0.self_attn.q_norm.weight"
            model.tensors[try model.index(name)] = original.tensors[try original.index(name)]
        }
        failing(report, "layers.0.attention.qk_gain")
    }

    @Test(arguments: ["model.norm.weight", "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"])
    func oneBitOutsideTheSites(tensor: String) throws {
        let report = try report("llama") { model, _ in model.tensors[try model.index(tensor)].bytes[40] ^= 1 }
        #expect(report.problems == ["tensor \(tensor) differs, and no symmetry site may change it"])
        #expect(!report.holds)
    }

    @Test func aSettingThatChangesTheFunction() throws {
        let report = try report("llama") { model, _ in model.config["rms_norm_eps"] = .double(0.1) }
        #expect(report.problems.count == 1 && report.problems[0].contains("rms_norm_eps"))
    }

    @Test func missingAddedAndReshapedTensors() throws {
        let missing = try report("llama") { model, _ in model.tensors.removeLast() }
        #expect(!missing.holds && missing.problems.contains { $0.contains("missing") })
        let added = try report("llama") { model, _ in
            model.tensors.append(.init(name: "extra", type: .u8, shape: [1], bytes: [0]))
        }
        #expect(!added.holds && added.problems.count == 1)
        let reshaped = try report("llama") { model, _ in
            let place = try model.index("model.layers.0.self_attn.v_proj.weight")
            model.tensors[place].shape = [48, 24]
        }
        #expect(!reshaped.holds)
    }

    @Test func aNaNIsNeverInTolerance() throws {
        let report = try report("llama") { model, _ in
            try model.edit("model.layers.0.self_attn.v_proj.weight") { $0[0] = .nan }
        }
        failing(report, "layers.0.attention.vo.0")
    }

    /// Channels that share gate rows are told apart by the rest.
    @Test func twinAndDeadChannelsAreMatched() throws {
        var model = try EditableModel(reading: Fixtures.path("llama"))
        for name in ["gate_proj", "up_proj"] {
            try model.edit("model.layers.0.mlp.\(name).weight") { values in
                for j in 0..<48 {
                    if name == "gate_proj" { values[48 + j] = values[j] }
                    values[2 * 48 + j] = 0
                    values[3 * 48 + j] = 0
                }
            }
        }
        try model.write(to: folder("m"))
        let source = try Checkpoint(opening: folder("m"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("q"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(repeatable: .lossless))
        let report = try AlgebraicVerification().verify(source, Checkpoint(opening: folder("q")))
        #expect(report.holds, "\(report.failures)")
    }
}
