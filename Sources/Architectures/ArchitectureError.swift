/// Why a checkpoint cannot be matched with an architecture that we know.
public enum ArchitectureError: Error, Sendable, Equatable {
    case noConfig(path: String)
    case noModelType(path: String)
    case unknownModelType(path: String, found: String, nearest: String)
    case missingConfigValue(path: String, keys: [String])
    case invalidConfigValue(path: String, key: String, found: String, expected: String)
    /// Two keys that mean the same, or of which one follows from the other, say different things.
    case contradiction(path: String, key: String, found: String, other: String, otherFound: String)
    /// A feature that changes what the weights mean in a way that is not described.
    case refusedFeature(path: String, key: String, found: String, reason: String)
    case quantized(path: String, found: String)
    case unknownTensor(path: String, tensor: String, family: String)
    case missingTensor(path: String, tensor: String, family: String)
    case shapeMismatch(path: String, tensor: String, expected: [Int], found: [Int])
    case notFloatingPoint(path: String, tensor: String, found: String)
    /// A part of the model is copied and not understood.
    case notEvaluable(path: String, parts: [String])
    /// Two stored names stand for one tensor, such as `bert.x` beside `x`, or `LayerNorm.gamma` beside `LayerNorm.weight`.
    case ambiguousTensor(path: String, tensor: String, other: String)
    /// A description in this binary is malformed.
    case invalidDescription(family: String, field: String)
}

extension ArchitectureError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noConfig(let path): "\(path): found no config.json; give the model directory with its configuration"
        case .noModelType(let path):
            "\(path)/config.json: model_type is missing; add the model's type, such as \"llama\""
        case .unknownModelType(let path, let found, let nearest):
            "\(path)/config.json: model_type \"\(found)\" is not supported; the nearest that is, \(nearest), may be laid out otherwise and is not assumed (`mergeproof families` lists all)"
        case .missingConfigValue(let path, let keys):
            "\(path)/config.json: \(keys.joined(separator: " or ")) is missing; restore the original config.json"
        case .invalidConfigValue(let path, let key, let found, let expected):
            "\(path)/config.json: \(key) is \(found), expected \(expected); restore the original config.json"
        case .contradiction(let path, let key, let found, let other, let otherFound):
            "\(path)/config.json: \(key) is \(found), but \(other) is \(otherFound), and the two must agree; keep what the model was trained with"
        case .refusedFeature(let path, let key, let found, let reason):
            "\(path)/config.json: \(key) is \(found), which is not supported: \(reason)"
        case .quantized(let path, let found):
            "\(path): the checkpoint is quantised (\(found)); protect the F32, F16 or BF16 original and quantise the result"
        case .unknownTensor(let path, let tensor, let family):
            "\(path): tensor \(tensor) is not part of the \(family) architecture as described; nothing is rewritten while a tensor's meaning is unknown"
        case .missingTensor(let path, let tensor, let family):
            "\(path): tensor \(tensor) of the \(family) architecture is missing; download the model again"
        case .shapeMismatch(let path, let tensor, let expected, let found):
            "\(path): tensor \(tensor) has shape \(found), config.json asks for \(expected); the two do not belong together"
        case .notFloatingPoint(let path, let tensor, let found):
            "\(path): tensor \(tensor) is stored as \(found), expected F64, F32, F16 or BF16; protect an unquantised checkpoint"
        case .notEvaluable(let path, let parts):
            "\(path): the model cannot be evaluated, as this program does not know how to compute its \(parts.joined(separator: " and ")); protect, restore and verify by weights alone work around that"
        case .ambiguousTensor(let path, let tensor, let other):
            "\(path): tensors \(tensor) and \(other) stand for the same part of the model; remove one of them"
        case .invalidDescription(let family, let field):
            "the built-in description of \(family) is malformed at \(field); please report it"
        }
    }
}
