import Architectures
import Checkpoints
import Evaluation
import ForwardPass
import LinearAlgebra
import Protections
import TestSupport
import Testing
import Verification

/// The same model as transformers 5 stores it where it does not convert names back: outputs, both proofs, and what restoring gives.
@Suite struct StoredLayoutTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    static let vision: [(from: String, to: String)] = [
        ("attention.attention.query", "attention.q_proj"), ("attention.attention.key", "attention.k_proj"),
        ("attention.attention.value", "attention.v_proj"), ("attention.output.dense", "attention.o_proj"),
    ]

    static let vit =
        vision + [("encoder.layer.", "layers."), ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2")]

    /// From the names of Nomic's own code to those of transformers.
    private static func nomic(_ model: inout EditableModel) throws {
        model.rename([
            ("emb_ln", "embeddings.LayerNorm"), ("encoder.layers.", "layers."), ("attn.out_proj", "self_attn.o_proj"),
            ("fc11", "up_proj"), ("fc12", "gate_proj"), ("fc2", "down_proj"), ("norm1", "post_attention_layernorm"),
            ("norm2", "post_mlp_layernorm"),
        ])
        try model.split("attn.Wqkv.weight", into: ["q", "k", "v"].map { "self_attn.\($0)_proj.weight" })
    }

    private static func change(_ model: inout EditableModel, _ name: String) throws {
        switch name {
        case "vit", "deit", "deit_classifier", "vit_msn": model.rename(vit)
        // As version 4 stored it; version 5 leaves the prefix out in its layers alone.
        case "vit_msn_classifier": model.rename([("encoder.layer.", "vit.encoder.layer.")])
        case "nomic_bert", "nomic_bert_masked_lm": try nomic(&model)
        case "dinov2", "dinov2_swiglu": model.rename(vision)
        case "mixtral", "minimax_m2":
            model.rename([("block_sparse_moe.", "mlp.")])
            try model.fuseExperts("mlp.experts.", parts: ("w1", "w3", "w2"))
        case "granitemoe":
            model.rename([
                ("input_linear.weight", "experts.gate_up_proj"), ("output_linear.weight", "experts.down_proj"),
                ("router.layer.", "router."),
            ])
        case "ernie4_5_moe":
            model.rename([("mlp.moe_statics.", "mlp.gate.moe_statics.")])
            try model.fuseExperts("mlp.experts.", parts: ("gate_proj", "up_proj", "down_proj"))
        // One of two tied tensors.
        case "llama_tied", "gemma": model.rename([("model.embed_tokens.", "lm_head.")])
        case "gpt2": model.rename([("transformer.wte.", "lm_head.")])
        case "bert_masked_lm": model.rename([("bert.embeddings.word_embeddings.", "cls.predictions.decoder.")])
        case "gpt_neox": model.rename([("embed_out.", "lm_head.")])
        default: try model.fuseExperts("mlp.experts.", parts: ("gate_proj", "up_proj", "down_proj"))
        }
    }

    @Test(
        arguments: [
            "vit", "deit", "deit_classifier", "dinov2", "dinov2_swiglu", "mixtral", "qwen2_moe", "qwen3_moe",
            "deepseek_v3", "deepseek_v3_plain", "olmoe", "glm4_moe", "dots1", "granitemoe", "minimax_m2", "deepseek_v2",
            "deepseek_v2_grouped", "flex_olmo", "ernie4_5_moe", "gpt_neox", "llama_tied", "gemma", "gpt2",
            "bert_masked_lm", "vit_msn", "vit_msn_classifier", "nomic_bert", "nomic_bert_masked_lm",
        ])
    func modelsAreTheSame(name: String) throws {
        var model = try EditableModel(reading: Fixtures.path(name))
        let names = Set(model.tensors.map(\.name))
        try Self.change(&model, name)
        #expect(Set(model.tensors.map(\.name)) != names)
        let source = try Checkpoint(opening: try model.write(to: folder("m")))
        let reference = try RecordedReference(name)
        let output = try Model(source, threads: 1).double(reference.inputs).values.flatMap(\.elements)
        #expect(relativeError(output, reference.double.flatMap(\.self)) < 1e-12)
        let (one, other) = (
            try Architecture.resolve(source), try Architecture.resolve(Checkpoint(opening: Fixtures.path(name)))
        )
        #expect(one.attention.count == other.attention.count && one.mlp.count == other.mlp.count)
        for method in [ProtectionMethod.mergelock, .lossless] {
            Files.remove(folder("p"))
            Files.remove(folder("r"))
            let key = SecretKey(bytes: [UInt8](0..<32))
            _ = try Protector.unsynchronized.protect(
                source, to: folder("p"), key: key, options: ProtectionOptions(method: method))
            let protected = try Checkpoint(opening: folder("p"))
            let weights = try AlgebraicVerification(threads: 1).verify(source, protected)
            #expect(weights.holds)
            #expect(try FunctionalVerification(threads: 1).verify(source, protected, inputs: reference.inputs).holds)
            _ = try Protector.unsynchronized.restore(protected, to: folder("r"), key: key)
            guard method == .lossless else { continue }
            let restored = try EditableModel(reading: folder("r"))
            for tensor in model.tensors {
                #expect(restored.tensors[try restored.index(tensor.name)].bytes == tensor.bytes, "\(tensor.name)")
            }
        }
    }

    /// One expert's rows of a fused tensor are no other's.
    @Test(arguments: ["mixtral", "qwen3_moe"])
    func exchangedExpertsAreFound(name: String) throws {
        var model = try EditableModel(reading: Fixtures.path(name))
        try Self.change(&model, name)
        let source = try Checkpoint(opening: try model.write(to: folder("m")))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)),
            options: ProtectionOptions(method: .lossless))
        var fault = try EditableModel(reading: folder("p"))
        let place = try fault.index("model.layers.1.mlp.experts.down_proj")
        let half = fault.tensors[place].bytes.count / fault.tensors[place].shape[0]
        let bytes = fault.tensors[place].bytes
        fault.tensors[place].bytes = Array(bytes[half..<2 * half] + bytes[..<half] + bytes[(2 * half)...])
        let changed = try Checkpoint(opening: try fault.write(to: folder("f")))
        #expect(try !AlgebraicVerification(threads: 1).verify(source, changed).holds)
        #expect(try !FunctionalVerification(threads: 1).verify(source, changed).holds)
    }
}
