import Architectures
import Checkpoints
import Rewriting

extension Protector {
    /// Writes the original back from a protected model: bit for bit after exact elements, to rounding after others.
    ///
    /// From version 3 of the manifest on everything is checked: the manifest, every protected tensor, the files beside them, and
    /// after exact elements the restored bytes against the original's tags. A model that is not as protect wrote it stops
    /// the run before anything is published.
    ///
    /// - Parameter acceptsChanges: go on nevertheless, and report the changes.
    public func restore(
        _ source: Checkpoint, to path: String, key: SecretKey, threads: Int? = nil, acceptsChanges: Bool = false
    ) throws -> Report {
        let manifest = try Manifest.read(from: source)
        let derivation = try Derivation(checking: key, against: manifest)
        let authenticator = Authenticator(derivation)
        let card = try manifest.card?.restored(from: source, authenticator)
        let output = OutputPlan.keepingShards(
            of: source, adding: [manifest.untied?.originalConfig, card?.file].compactMap(\.self),
            dropping: card == nil ? [Manifest.fileName] : [Manifest.fileName, ModelCard.fileName],
            without: Set([manifest.untied?.head].compactMap(\.self)))
        @Sendable func stop(at changes: [Change]) throws {
            let grave = changes.filter(\.isGrave)
            guard grave.isEmpty || acceptsChanges else { throw ProtectionError.changed(path: source.path, grave) }
        }
        let earlier =
            try manifest.inventory.map {
                try RestorationProof.earlyChanges(manifest, $0, source, files: output.sidecars, authenticator)
                    + [card?.change].compactMap(\.self)
            } ?? []
        try stop(at: earlier)
        let architecture = try Architecture.resolve(source)
        let plan = try ProtectionPlan(manifest, architecture: architecture, checkpoint: source)
        let gains = try FoldedGains(manifest, plan.sites, in: source, by: derivation)
        let rewriter = try Rewriter(
            plan.script, of: source, by: try KeyedElements(manifest, plan.sites, derivation, path: source.path),
            gains: gains, isInverse: true, allowsNonFinite: true)
        @Sendable func proof(_ found: Inventory) -> RestorationProof? {
            manifest.inventory.map { RestorationProof(manifest, $0, found: found, earlier: earlier) }
        }
        let observer = manifest.inventory.map { _ in
            TaggingObserver(
                source: source, collector: TagCollector(authenticator, isInverse: true), refusesNonFinite: false,
                finishing: { found in
                    try stop(at: proof(found)?.changes ?? [])
                    return []
                }, isRewritten: { plan.script.acts(on: $0.name) })
        }
        do {
            try write(output.making(rewriter.producer), to: path, threads: threads, observer: observer)
        } catch RewritingError.inexactScaling(let tensor) where manifest.inventory != nil && !acceptsChanges {
            // Undoing what protect could do loses no bit.
            throw ProtectionError.changed(path: source.path, [.tensor(tensor)])
        }
        return report(
            manifest, plan.script, source, scalesWereDropped: false, proof: observer.flatMap { proof($0.inventory) })
    }
}
