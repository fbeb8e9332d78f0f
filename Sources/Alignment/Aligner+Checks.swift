import Architectures
import Checkpoints
import Symmetries

extension Aligner {
    /// Nothing is estimated of weights that are no numbers, or that the base does not have.
    static func check(
        _ protected: Checkpoint, against base: Checkpoint, _ architecture: Architecture
    ) throws(AlignmentError) {
        if !protected.tensors.keys.contains(where: { base.tensors[$0] != nil }) {
            throw .nothingInCommon(path: base.path, other: protected.path)
        }
        let sites = architecture.sites + architecture.headSites + architecture.expertSites
        for name in Self.tensors(of: sites) where base.tensors[name] == nil {
            throw .missingTensor(path: base.path, tensor: name, other: protected.path)
        }
        for name in Self.tensors(of: sites + architecture.outerSites) {
            for model in [protected, base] { try model.checkFinite(name) }
        }
        for tensor in protected.tensors.values where tensor.type.isComputable {
            guard let other = base.tensors[tensor.name] else { continue }
            guard other.shape == tensor.shape else {
                throw .otherShape(
                    path: base.path, tensor: tensor.name, found: other.shape, expected: tensor.shape)
            }
        }
    }

    private static func tensors(of sites: [Site]) -> [String] {
        Set(sites.flatMap { $0.slices.map(\.tensor) }).sorted()
    }
}
