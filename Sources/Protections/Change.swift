/// How a protected directory differs from what protect wrote.
public enum Change: Sendable, Equatable {
    /// A field of the manifest.
    case manifest
    case tensor(String)
    case missingTensor(String)
    case addedTensor(String)
    case file(String)
    case missingFile(String)
    case addedFile(String)
    /// The model card, after it was written; it comes back as it is now, without what protect put in.
    case editedCard
    /// The texts in the header of a safetensors file.
    case headerMetadata(shard: String)
    /// A tensor that is as protect wrote it and did not come back as the original was.
    case unrestored(tensor: String)

    /// Whether restoring stops here. Documents and header metadata take no part in what the model computes: publishers write model
    /// cards, and tools their names into headers.
    public var isGrave: Bool {
        switch self {
        case .file(let path), .missingFile(let path), .addedFile(let path): !Self.isDocument(path)
        case .headerMetadata, .editedCard: false
        default: true
        }
    }

    /// Whether it is a change of the model card.
    public var isOfCard: Bool {
        [.editedCard, .file(ModelCard.fileName), .missingFile(ModelCard.fileName)].contains(self)
    }

    private static func isDocument(_ path: String) -> Bool {
        let name = (path.split(separator: "/").last ?? "").lowercased()
        return name.hasSuffix(".md") || ["license", "notice"].contains { name.hasPrefix($0) }
    }
}

extension Change: CustomStringConvertible {
    public var description: String {
        switch self {
        case .manifest: "\(Manifest.fileName) was changed"
        case .tensor(let name): "tensor \(name) was changed"
        case .missingTensor(let name): "tensor \(name) is missing"
        case .addedTensor(let name): "tensor \(name) was added"
        case .file(let path): "file \(path) was changed"
        case .missingFile(let path): "file \(path) is missing"
        case .addedFile(let path): "file \(path) was added"
        case .editedCard:
            "\(ModelCard.fileName) was edited since it was written: it is kept as it is now, without mergeproof's section"
        case .headerMetadata(let shard): "the header's metadata of \(shard) was changed"
        case .unrestored(let tensor): "tensor \(tensor) did not come back as the original was"
        }
    }
}
