import Checkpoints
import Symmetries

/// The model that another was trained from.
enum BaseModel {
    /// Holds a base against a model: what is compared must be there, alike in type and shape, as must all else that both have; and
    /// something must differ.
    static func check(_ base: Checkpoint, against model: Checkpoint, for compared: Set<String>) throws {
        for tensor in model.tensors.values {
            let other = base.tensors[tensor.name]
            guard other != nil || compared.contains(tensor.name) else { continue }
            guard let other, other.type == tensor.type, other.shape == tensor.shape else {
                throw ProtectionError.unlikeBase(
                    path: base.path, tensor: tensor.name, expected: "\(tensor.type.rawValue) \(tensor.shape)",
                    found: other.map { "\($0.type.rawValue) \($0.shape)" } ?? "none")
            }
        }
        let differs = compared.contains { name in
            guard let own = model.tensors[name], let other = base.tensors[name] else { return false }
            defer {
                model.releasePages(of: own)
                base.releasePages(of: other)
            }
            return !model.content(of: own).bytes.elementsEqual(base.content(of: other).bytes)
        }
        if !differs, !compared.isEmpty { throw ProtectionError.baseIsModel(path: base.path) }
    }
}
