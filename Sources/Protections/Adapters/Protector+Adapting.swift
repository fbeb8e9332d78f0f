import Architectures
import Checkpoints
import Rewriting
import Symmetries

extension Protector {
    /// Writes an adapter of the original in the basis of a protected model: with `W' = L·W·R`, `ΔW' = s·(L·B)(A·R)`, so that the
    /// factors are acted on as the weight was, B from the left and A from the right, and keep their rank.
    ///
    /// - Returns: how many maps it adapts.
    /// - Throws: `AdapterError.cannotFollow` where rows of other maps lie in the same tensor, or whole tensors have changed places.
    public func adapt(
        _ adapterPath: String, to path: String, protected: Checkpoint, key: SecretKey, threads: Int? = nil
    ) throws -> Int {
        let manifest = try Manifest.read(from: protected)
        let derivation = try Derivation(checking: key, against: manifest)
        guard manifest.inventory.map({ _ in manifest.isAuthentic(Authenticator(derivation)) }) ?? true else {
            throw ProtectionError.changed(path: protected.path, [.manifest])
        }
        let architecture = try Architecture.resolve(protected)
        let plan = try ProtectionPlan(manifest, architecture: architecture, checkpoint: protected)
        let adapter = try LoRAAdapter(opening: adapterPath, for: protected)
        let scaled = Set(architecture.mlp.filter { $0.series != nil }.map(\.down.weight))
        if let pair = adapter.pairs.first(where: { scaled.contains($0.tensor.name) }) {
            throw AdapterError.cannotFollow(
                path: adapterPath, tensor: pair.tensor.name,
                reason: "what it reads was scaled when activations were stated as polynomials")
        }
        let moved = try adapter.sites(plan.sites)
        let rewriter = try Rewriter(
            EditScript(moved, of: adapter.weights), of: adapter.weights,
            by: try KeyedElements(manifest, plan.sites, derivation, path: protected.path),
            gains: try FoldedGains(manifest, plan.sites, in: protected, by: derivation), isInverse: false,
            allowsNonFinite: false)
        let output = OutputPlan.keepingShards(
            of: adapter.weights,
            adding: [OutputPlan.Generated(name: LoRAAdapter.configName, bytes: adapter.configBytes)])
        try write(output.making(rewriter.producer), to: path, threads: threads, observer: nil)
        return adapter.pairs.count
    }
}

extension LoRAAdapter {
    /// The sites of a lock as they act on the factors: what acts on a weight's outputs acts on B's rows, what acts on its inputs on A's columns.
    fileprivate func sites(_ sites: [Site]) throws -> [Site] {
        let byTensor = Dictionary(uniqueKeysWithValues: pairs.map { ($0.tensor.name, $0) })
        return try sites.compactMap { site in
            for name in site.exchanges.flatMap(\.self) where byTensor[name] != nil {
                throw AdapterError.cannotFollow(path: path, tensor: name, reason: "whole tensors have changed places")
            }
            let slices = try site.slices.compactMap { slice -> Site.Slice? in
                guard let pair = byTensor[slice.tensor] else { return nil }
                guard slice.across == nil else {
                    throw AdapterError.cannotFollow(
                        path: path, tensor: slice.tensor, reason: "several maps lie in it, each locked by itself")
                }
                let actsOnOutputs = (slice.axis == 0) != isTransposed
                return slice.moved(to: actsOnOutputs ? pair.b.name : pair.a.name, axis: actsOnOutputs ? 0 : 1)
            }
            return slices.isEmpty
                ? nil
                : Site(path: site.path, kind: site.kind, layer: site.layer, group: site.group, slices: slices)
        }
    }
}
