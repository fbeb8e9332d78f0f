import Merging

/// What can stop an audit.
public enum AuditError: Error, Sendable, Equatable, CustomStringConvertible {
    case nothingToTry(String)
    case otherArchitecture(path: String, found: String, first: String, expected: String)
    case missingTensor(path: String, tensor: String, first: String)
    case otherShape(path: String, tensor: String, found: [Int], first: String, expected: [Int])
    case noHead(part: String, path: String)
    /// Heads that hold all that could be merged.
    case noBody(path: String)
    case noSuccess(task: String)
    /// A protected model whose head goes with no other's.
    case otherHead(path: String, tensor: String, first: String)
    /// A merge that looks at more than weights.
    case missingEvidence(method: String, MergeMethod.Evidence)
    /// Of a protected model that is called as the unprotected one.
    case reservedName
    case exists(path: String)

    public var description: String {
        switch self {
        case .nothingToTry(let what): "there are no \(what); name one at least"
        case .otherArchitecture(let path, let found, let first, let expected):
            "\(path) is of type \(found), \(first) of type \(expected); all models of an audit are of one architecture"
        case .missingTensor(let path, let tensor, let first):
            "\(path): tensor \(tensor) is missing, which \(first) holds; if it belongs to a head, name a part of its name under heads"
        case .otherShape(let path, let tensor, let found, let first, let expected):
            "\(path): tensor \(tensor) has shape \(found), in \(first) \(expected); if it belongs to a head, name a part of its name under heads"
        case .noHead(let part, let path):
            "\(path): no tensor's name holds \(part), which heads names; look at the names with inspect"
        case .noBody(let path):
            "\(path): what heads names holds every tensor, so that nothing is left to merge; name parts of heads' names alone"
        case .noSuccess(let task):
            "the expert of \(task) is right on none of its examples, so that nothing can be measured in shares of that; check data and labels"
        case .otherHead(let path, let tensor, let first):
            "\(path): the head's tensor \(tensor) has another shape than in \(first), and the model's form takes heads of its own shape alone; audit it with tasks of one number of classes"
        case .missingEvidence(let method, .fisher):
            "\(method) takes the Fisher information of every model, which an attack moves along with the weights and an audit does not find; leave it out"
        case .missingEvidence(let method, _):
            "\(method) runs every model on inputs; name a file of them under calibration, or leave it out"
        case .reservedName: "a protected model is called none, as the unprotected one is; name it otherwise"
        case .exists(let path): "\(path) is there already; choose another place, or remove it"
        }
    }
}
