import Checkpoints

extension ModelDescription {
    /// The descriptions in this binary, one per family. A new family is a JSON file in Descriptions and a line here and in
    /// Package.swift.
    package static let embedded: [(name: String, bytes: [UInt8])] = [
        ("bert", PackageResources.bert_json),
        ("clip_vision", PackageResources.clip_vision_json),
        ("gpt2", PackageResources.gpt2_json),
        ("llama", PackageResources.llama_json),
        ("mistral", PackageResources.mistral_json),
        ("qwen2", PackageResources.qwen2_json),
        ("qwen3", PackageResources.qwen3_json),
        ("roberta", PackageResources.roberta_json),
        ("vit", PackageResources.vit_json),
    ]

    /// All families, by name; decoded once.
    package static func library() throws(ArchitectureError) -> [ModelDescription] { try decoded.get() }

    private static let decoded = Result<[ModelDescription], ArchitectureError> { () throws(ArchitectureError) in
        var descriptions: [ModelDescription] = []
        for (name, bytes) in embedded {
            guard let document = try? JSONDocument(parsing: bytes) else {
                throw .invalidDescription(family: name, field: "its JSON")
            }
            descriptions.append(try ModelDescription(decoding: document.root, named: name))
        }
        return descriptions
    }
}
