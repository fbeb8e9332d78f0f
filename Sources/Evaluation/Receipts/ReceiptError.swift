/// Why a receipt cannot be made or read.
public enum ReceiptError: Error, Sendable, Equatable {
    /// A directory, a pipe, or more than any receipt holds.
    case notAReceipt(file: String)
    /// A statement, or a predicate, of another kind.
    case otherKind(file: String, found: String)
    case field(file: String, field: String)
    case unknownField(file: String, field: String)
    /// The manifest is older than manifests that prove themselves.
    case unproved(path: String)
    case changedManifest(path: String)
}

extension ReceiptError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notAReceipt(let file):
            "\(file): no receipt; give the file that `mergeproof receipt make` wrote"
        case .otherKind(let file, let found):
            "\(file): \(found) is no receipt of this version; give the file that `mergeproof receipt make` wrote"
        case .field(let file, let field):
            "\(file): \(field) is missing or malformed; give the file that `mergeproof receipt make` wrote"
        case .unknownField(let file, let field):
            "\(file): \(field) is no field of a receipt; give the file that `mergeproof receipt make` wrote"
        case .unproved(let path):
            "\(path): protected before manifests proved themselves, so that no receipt can be made; protect the original again"
        case .changedManifest(let path):
            "\(path): the manifest is not as `mergeproof protect` wrote it; take the unchanged files"
        }
    }
}
