import Checkpoints

/// What can stop an alignment.
public enum AlignmentError: Error, Sendable, Equatable, CustomStringConvertible {
    case otherShape(path: String, tensor: String, found: [Int], expected: [Int])
    case nothingInCommon(path: String, other: String)
    case missingTensor(path: String, tensor: String, other: String)
    case nonFinite(path: String, tensor: String)
    /// What the base's weights tell of a site is no element.
    case noElement(site: String, reason: String)
    case noCalibration(method: String)
    case noActivations(tensor: String)
    case noActivationsAt(path: String, point: String)
    case nothingToMerge(path: String)
    case weightWithoutBase
    case weightNotFinite
    case overflow(tensor: String, type: ElementType)

    public var description: String {
        switch self {
        case .otherShape(let path, let tensor, let found, let expected):
            "\(path): tensor \(tensor) has shape \(found), expected \(expected); give the base that the protected model was trained from, or a relative of its shapes"
        case .nothingInCommon(let path, let other):
            "\(path) and \(other) have no tensor of one name; give the base that the protected model was trained from, or a relative of its shapes"
        case .missingTensor(let path, let tensor, let other):
            "\(path): tensor \(tensor) is missing, which \(other) holds; give the base that the protected model was trained from, or a relative of its shapes"
        case .nonFinite(let path, let tensor):
            "\(path): tensor \(tensor) holds NaN or infinite values; repair the checkpoint"
        case .noElement(let site, let reason):
            "site \(site): the base's weights tell no element (\(reason)); another method may find one"
        case .noCalibration(let method):
            "method \(method) looks at activations, and there are no inputs to compute them on"
        case .noActivations(let tensor):
            "tensor \(tensor): what its map reads on the calibration data is zero or no number; give other inputs or repair the base"
        case .noActivationsAt(let path, let point):
            "\(path): activations at \(point) are all zero or no numbers on the calibration data; give other inputs or repair the checkpoint"
        case .nothingToMerge(let path):
            "there is nothing to merge \(path) with; give another model of its family"
        case .weightWithoutBase:
            "a weight is that of the task vectors, and there is no base; give one, or no weight for the mean of all models"
        case .weightNotFinite: "the weight is no finite number; give one such as 0.5"
        case .overflow(let tensor, let type):
            "tensor \(tensor): what comes out does not fit \(type.rawValue); store the protected model in a type of larger range, or merge at a smaller weight"
        }
    }
}
