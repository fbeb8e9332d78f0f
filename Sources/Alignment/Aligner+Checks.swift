import Architectures
import Checkpoints
import Foundations

extension Aligner {
    /// Nothing is estimated of weights that are no numbers, or that the base does not have.
    static func check(
        _ protected: Checkpoint, against base: Checkpoint, _ architecture: Architecture
    ) throws(AlignmentError) {
        if !protected.tensors.keys.contains(where: { base.tensors[$0] != nil }) {
            throw .nothingInCommon(path: base.path, other: protected.path)
        }
        let sites = architecture.sites + architecture.headSites + architecture.expertSites
        for name in Set(sites.flatMap { $0.slices.map(\.tensor) }).sorted() {
            guard base.tensors[name] != nil else {
                throw .missingTensor(path: base.path, tensor: name, other: protected.path)
            }
            for model in [protected, base] {
                guard let tensor = model.tensors[name] else { continue }
                let content = model.content(of: tensor)
                defer { withExtendedLifetime(content) {} }
                if NonFinite.count(in: content.bytes, of: tensor.type) > 0 {
                    throw .nonFinite(path: model.path, tensor: name)
                }
                model.releasePages(of: tensor)
            }
        }
        for tensor in protected.tensors.values where tensor.type.isComputable {
            guard let other = base.tensors[tensor.name] else { continue }
            guard other.shape == tensor.shape else {
                throw .otherShape(
                    path: base.path, tensor: tensor.name, found: other.shape, expected: tensor.shape)
            }
        }
    }
}
