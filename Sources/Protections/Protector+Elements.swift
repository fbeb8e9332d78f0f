import Architectures
import Checkpoints
import Rewriting
import Symmetries

extension Protector {
    /// What acted at each site of a protected model, for whoever holds the key.
    /// - Throws: `ProtectionError` where the key is another one, or the model was not protected.
    public static func elements(of protected: Checkpoint, key: SecretKey) throws -> [(site: Site, element: Element)] {
        let manifest = try Manifest.read(from: protected)
        let derivation = try Derivation(checking: key, against: manifest)
        let plan = try ProtectionPlan(
            manifest, architecture: try Architecture.resolve(protected), checkpoint: protected)
        let elements = try KeyedElements(manifest, plan.sites, derivation, path: protected.path)
        return try plan.sites.map { ($0, try elements.element(at: $0)) }
    }
}
