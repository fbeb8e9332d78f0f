/// What can stop a merge.
public enum MergeError: Error, Sendable, Equatable {
    case noModels
    case missingBase(method: String)
    case unknownParameter(String, method: String, known: [String])
    case parameterOutOfRange(String, Double, ClosedRange<Double>)
    case invalidWeight(path: String, Double)
    /// Two models are none of one architecture.
    case otherArchitecture(path: String, found: String, first: String, expected: String)
    case missingTensor(path: String, tensor: String, first: String)
    case otherShape(path: String, tensor: String, found: [Int], first: String, expected: [Int])
    /// Numbers that are not computed in, such as positions, have to be the same in all models.
    case otherConstants(path: String, tensor: String, first: String)
    case nonFinite(path: String, tensor: String)
    case overflow(tensor: String, type: String)
}

extension MergeError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noModels: "nothing to merge: name one model at least"
        case .missingBase(let method): "the method \(method) needs the base model that the others come from; name it"
        case .unknownParameter(let name, let method, let known):
            "parameter \(name): the method \(method) takes \(known.isEmpty ? "none" : known.joined(separator: ", ")); remove it"
        case .parameterOutOfRange(let name, let value, let range):
            "parameter \(name) is \(value), expected \(range.lowerBound) to \(range.upperBound); choose a value in this range"
        case .invalidWeight(let path, let weight): "\(path): weight \(weight) is no finite number; give one"
        case .otherArchitecture(let path, let found, let first, let expected):
            "\(path): architecture \(found), but \(first) is \(expected); merge models of one architecture"
        case .missingTensor(let path, let tensor, let first):
            "\(path): tensor \(tensor) is missing, which \(first) holds; merge models with the same tensors"
        case .otherShape(let path, let tensor, let found, let first, let expected):
            "\(path): tensor \(tensor) has shape \(found), but \(expected) in \(first); merge models of one shape and vocabulary"
        case .otherConstants(let path, let tensor, let first):
            "\(path): tensor \(tensor) holds other numbers than in \(first), which are not averaged; make them alike"
        case .nonFinite(let path, let tensor):
            "\(path): tensor \(tensor) holds NaN or infinite values; repair the checkpoint"
        case .overflow(let tensor, let type):
            "tensor \(tensor): a merged value does not fit into \(type); choose smaller weights"
        }
    }
}
