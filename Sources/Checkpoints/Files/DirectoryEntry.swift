import Foundations

/// One entry of a model directory, and what becomes of it in a copy of the model.
public struct DirectoryEntry: Sendable, Equatable {
    /// Relative to the model directory, with `/` between components.
    public let relativePath: String
    /// Of what a link leads to; of the link itself where it leads nowhere.
    public let status: FileStatus
    public let isLink: Bool
    public let disposition: Disposition

    public enum Disposition: Sendable, Equatable {
        /// The safetensors files that the model consists of, and their index.
        case weights
        /// Copied byte for byte. `included`: only because the user asked for it.
        case copied(included: Bool)
        case leftOut(Omission)
        /// Must not lie beside a model that is to be copied.
        case refused(Refusal)
    }

    public var size: Int { status.size }
    public var name: String { Checkpoint.lastComponent(relativePath) }
    public var isFile: Bool { status.kind == .file }

    public var isCopied: Bool { if case .copied = disposition { true } else { false } }
    public var isIncluded: Bool { disposition == .copied(included: true) }
    public var omission: Omission? { if case .leftOut(let reason) = disposition { reason } else { nil } }
    public var refusal: Refusal? { if case .refused(let reason) = disposition { reason } else { nil } }
}

/// Why a file is left out of a copy. Weights in another form would carry the unprotected model into it.
public enum Omission: Sendable, Equatable {
    /// Holds weights, or can hold them, as its name or its first bytes tell.
    case holdsWeights(format: String)
    /// Of no known kind and so large that it may hold weights.
    case unknown(bytes: Int)
    /// Text that consists of numbers or of encoded bytes.
    case encodedNumbers(bytes: Int)
    case hidden
    case linkedDirectory
    case brokenLink
    /// A pipe, socket or device.
    case special
    case secretKey
    /// What an earlier protection wrote.
    case manifest
    /// What a killed run left behind.
    case remains
}

extension Omission: CustomStringConvertible {
    /// What follows the name of the file.
    public var description: String {
        switch self {
        case .holdsWeights(let format): "can hold the unprotected weights (\(format))"
        case .unknown(let bytes): "is of no known kind and large (\(ByteSize.format(bytes))): it may hold weights"
        case .encodedNumbers(let bytes): "is \(ByteSize.format(bytes)) of numbers or encoded bytes: it may hold weights"
        case .hidden: "is hidden"
        case .linkedDirectory: "is a link to a directory"
        case .brokenLink: "is a link that leads nowhere"
        case .special: "is neither a file nor a directory"
        case .secretKey: "reads as a mergeproof secret key, which must never be published"
        case .manifest: "is the manifest of an earlier protection"
        case .remains: "was left behind by a run that did not end"
        }
    }
}

/// Why a model with such a file beside it is not copied at all.
public enum Refusal: Sendable, Equatable {
    case adapter
    case modules(ModuleFault)
    /// A module's weights are there only as pickle.
    case pickledModule(folder: String)
    /// A module's file holds tensors of the model itself.
    case modelTensors(tensor: String)
    /// The header of the weights holds a key.
    case keyInHeader
}

extension Refusal: CustomStringConvertible {
    /// What follows the name of the file.
    public var description: String {
        switch self {
        case .adapter:
            "transformers would load this adapter, which does not fit the protected weights; merge it into the model first or move it away"
        case .modules(let fault): "\(fault)"
        case .pickledModule(let folder):
            "the module in \(folder) cannot be loaded without these weights, and pickle is not read; convert it to safetensors, or have it copied unread"
        case .keyInHeader:
            "a mergeproof secret key stands in the file's header and would be published with it; take it out first"
        case .modelTensors(let tensor):
            "holds the model's own tensor \(tensor), unprotected; protect that module by itself or remove it"
        }
    }
}
