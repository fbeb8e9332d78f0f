/// What can go wrong when an element meets a checkpoint.
public enum SymmetryError: Error, Sendable, Equatable {
    /// A slice reaches beyond its tensor.
    case sliceOutsideTensor(site: String, tensor: String, axis: Int, end: Int, shape: [Int])
    /// A site's tensor is not of a floating type that weights can be computed in.
    case unsupportedType(site: String, tensor: String, type: String)
}

extension SymmetryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .sliceOutsideTensor(let site, let tensor, let axis, let end, let shape):
            "site \(site) needs indices up to \(end) on axis \(axis) of tensor \(tensor), whose shape is \(shape): the model's config.json and its weights do not belong together"
        case .unsupportedType(let site, let tensor, let type):
            "tensor \(tensor) of site \(site) is stored as \(type); expected F64, F32, F16 or BF16: convert the checkpoint to one of these first"
        }
    }
}
