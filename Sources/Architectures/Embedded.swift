extension ModelDescription {
    /// The descriptions in this binary, one file per family. A new family is a JSON file in Descriptions and its name here and
    /// in Package.swift.
    package static let embedded: [String: [UInt8]] = [
        "albert": PackageResources.albert_json,
        "bart": PackageResources.bart_json,
        "bert": PackageResources.bert_json,
        "clip": PackageResources.clip_json,
        "clip_text": PackageResources.clip_text_json,
        "clip_vision": PackageResources.clip_vision_json,
        "deit": PackageResources.deit_json,
        "dinov2": PackageResources.dinov2_json,
        "distilbert": PackageResources.distilbert_json,
        "electra": PackageResources.electra_json,
        "gpt2": PackageResources.gpt2_json,
        "llama": PackageResources.llama_json,
        "mistral": PackageResources.mistral_json,
        "modernbert": PackageResources.modernbert_json,
        "qwen2": PackageResources.qwen2_json,
        "qwen3": PackageResources.qwen3_json,
        "roberta": PackageResources.roberta_json,
        "siglip": PackageResources.siglip_json,
        "siglip_vision": PackageResources.siglip_vision_json,
        "t5": PackageResources.t5_json,
        "vit": PackageResources.vit_json,
        "whisper": PackageResources.whisper_json,
    ]
}
