/// The committed models under Tests/Fixtures, recorded from transformers by scripts/make_fixtures.py.
public enum Fixtures {
    public static let names = [
        "bert", "bert_masked_lm", "clip_vision", "gpt2", "llama", "llama_bf16", "llama_biases", "llama_f16",
        "llama_scaled", "llama_sharded", "llama_tied", "mistral", "qwen2", "qwen3", "roberta", "vit",
    ]

    /// Every model whose inputs and outputs are on record.
    public static let recorded: [String] = Files.names(in: root + "/references")
        .filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(".safetensors".count)) }

    /// Models of which some part is not described, and whose outputs are not on record.
    public static let undescribed = [
        "bamba", "falcon_h1", "gemma3", "granitemoehybrid", "jamba", "lfm2", "llava", "llava_mistral", "llava_qwen2",
        "mistral3", "nemotron_h", "qwen2_5_vl", "qwen2_vl", "qwen3_5", "qwen3_next", "qwen3_vl",
    ]

    public static let root: String = {
        // …/Tests/TestSupport/Fixtures.swift
        let parts = #filePath.split(separator: "/").dropLast(2)
        return "/" + parts.joined(separator: "/") + "/Fixtures"
    }()

    public static func path(_ name: String) -> String { root + "/" + name }
}
