import Checkpoints
import Rewriting
import Symmetries

/// What the gains were is kept under the key, as nothing else would tell it.
extension FoldedGains {
    private static let purpose = "gains"

    /// What a manifest keeps; nil where nothing is folded.
    func sealed(_ sites: [Site], by derivation: Derivation) throws -> [UInt8]? {
        let names = Self.names(sites)
        guard !names.isEmpty else { return nil }
        return try derivation.seal(names.flatMap { stored[$0] ?? [] }, purpose: Self.purpose)
    }

    /// Opens what a manifest keeps.
    /// - Throws: `ProtectionError.manifest` where it was not sealed for these sites under this key.
    init(_ manifest: Manifest, _ sites: [Site], in protected: Checkpoint, by derivation: Derivation) throws {
        let names = Self.names(sites)
        let sizes = names.map { protected.tensors[$0]?.byteCount ?? 0 }
        guard !names.isEmpty else {
            self = .none
            return
        }
        guard let box = manifest.gains, let bytes = derivation.open(box, purpose: Self.purpose),
            bytes.count == sizes.reduce(0, +)
        else { throw ProtectionError.manifest(path: protected.path, field: Self.purpose) }
        var (stored, start) = ([String: [UInt8]](), 0)
        for (name, size) in zip(names, sizes) {
            stored[name] = Array(bytes[start..<start + size])
            start += size
        }
        try self.init(stored, sites, in: protected)
    }

    private static func names(_ sites: [Site]) -> [String] {
        var seen: Set<String> = []
        return sites.flatMap(\.folded).map(\.tensor).filter { seen.insert($0).inserted }
    }
}
