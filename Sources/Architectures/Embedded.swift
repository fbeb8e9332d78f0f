extension ModelDescription {
    /// The descriptions in this binary, one file per family. A new family is a JSON file in Descriptions and its name here and
    /// in Package.swift.
    package static let embedded: [String: [UInt8]] = [
        "bart": PackageResources.bart_json,
        "bert": PackageResources.bert_json,
        "clip": PackageResources.clip_json,
        "clip_vision": PackageResources.clip_vision_json,
        "distilbert": PackageResources.distilbert_json,
        "gemma": PackageResources.gemma_json,
        "gemma2": PackageResources.gemma2_json,
        "gemma3_text": PackageResources.gemma3_text_json,
        "gpt2": PackageResources.gpt2_json,
        "llama": PackageResources.llama_json,
        "mistral": PackageResources.mistral_json,
        "mixtral": PackageResources.mixtral_json,
        "modernbert": PackageResources.modernbert_json,
        "phi": PackageResources.phi_json,
        "phi3": PackageResources.phi3_json,
        "qwen2": PackageResources.qwen2_json,
        "qwen2_moe": PackageResources.qwen2_moe_json,
        "qwen3": PackageResources.qwen3_json,
        "qwen3_moe": PackageResources.qwen3_moe_json,
        "roberta": PackageResources.roberta_json,
        "t5": PackageResources.t5_json,
        "vit": PackageResources.vit_json,
    ]
}
