import Architectures
import Checkpoints
import LinearAlgebra
import OrderedCollections
import Protections
import Symmetries
import Synchronization

/// Proves from the weights alone that two checkpoints compute the same function: at every site what the group leaves invariant has
/// not moved, and everything outside the sites is the same to the bit.
public struct AlgebraicVerification: Sendable {
    /// config.json entries that do not take part in the function.
    private static let irrelevantConfigKeys: Set<String> = [
        "_name_or_path", "_commit_hash", "transformers_version", "torch_dtype", "dtype",
    ]

    private let threads: Int

    public init(threads: Int? = nil) { self.threads = WorkerThreads.count(threads) }

    /// - Throws: `ArchitectureError` when the original is of no known architecture; differences are reported, not thrown.
    public func verify(_ original: Checkpoint, _ protected: Checkpoint) throws -> VerificationReport {
        BLASThreads.use(1)
        let architecture = try Architecture.resolve(original)
        let manifest = try Self.manifest(of: protected)
        let sites = architecture.sites
        let siteTensors = Set(sites.flatMap { $0.slices.map(\.tensor) })
        var problems = Self.differences(original, protected, outside: siteTensors)
        let results = try compare(sites, original, protected, manifest: manifest)
        if let manifest { problems += Self.brokenClaims(manifest, results) }
        let displacement = try Displacement(
            original, protected, kinds: Self.kinds(of: sites), threads: threads)
        return VerificationReport(
            family: architecture.family, sites: results, problems: problems, displacement: displacement.overall,
            displacementByKind: displacement.byKind,
            canBeEvaluated: original.tensors.values.allSatisfy { tensor in
                protected.tensors[tensor.name].map { $0.type == tensor.type && $0.shape == tensor.shape } ?? false
            })
    }

    private static func manifest(of checkpoint: Checkpoint) throws -> Manifest? {
        do { return try Manifest.read(from: checkpoint) } catch ProtectionError.notProtected { return nil }
    }

    private static func kinds(of sites: [Site]) -> [String: Site.Kind] {
        var kinds: [String: Site.Kind] = [:]
        for site in sites {
            for slice in site.slices where kinds[slice.tensor] == nil { kinds[slice.tensor] = site.kind }
        }
        return kinds
    }

    private func compare(
        _ sites: [Site], _ original: Checkpoint, _ protected: Checkpoint, manifest: Manifest?
    ) throws -> [SiteResult] {
        let found = Mutex([SiteResult?](repeating: nil, count: sites.count))
        try WorkerThreads.forEach(sites.count, threads: threads) { number, _ in
            let result = try Self.result(sites[number], original, protected, manifest: manifest)
            found.withLock { $0[number] = result }
        }
        return found.withLock { $0.compactMap { $0 } }
    }

    private static func result(
        _ site: Site, _ original: Checkpoint, _ protected: Checkpoint, manifest: Manifest?
    ) throws -> SiteResult {
        let types = site.slices.flatMap { slice in
            [original, protected].compactMap { $0.tensors[slice.tensor]?.type }
        }
        let tolerance = Tolerance(types: types, roundingMultiple: manifest?.roundingMultiple ?? 1)
        let (a, b) = (WeightReader(checkpoint: original), WeightReader(checkpoint: protected))
        let isMoved = site.slices.contains { !a.isSame($0, length: site.group.dimension, in: b) }
        var worst = WorstError()
        if isMoved {
            worst =
                site.group.blocks.isEmpty
                ? MonomialRecovery(site: site, original: a, protected: b, tolerance: tolerance).worstError()
                : try BilinearInvariant(site: site, original: a, protected: b, tolerance: tolerance).worstError()
        }
        return SiteResult(
            path: site.path, kind: site.kind, layer: site.layer, invariantError: worst.value,
            tolerance: tolerance.relative, isMoved: isMoved, worst: worst.place)
    }

    /// Tensors that are missing, added, of another type or shape, or changed where no site may change them; and settings of
    /// config.json that differ.
    private static func differences(
        _ original: Checkpoint, _ protected: Checkpoint, outside siteTensors: Set<String>
    ) -> [String] {
        var problems: [String] = []
        for tensor in original.tensors.values {
            guard let twin = protected.tensors[tensor.name] else {
                problems.append("tensor \(tensor.name) is missing from \(protected.path)")
                continue
            }
            guard twin.type == tensor.type, twin.shape == tensor.shape else {
                problems.append(
                    "tensor \(tensor.name) is \(twin.type.rawValue) \(twin.shape), expected \(tensor.type.rawValue) \(tensor.shape)"
                )
                continue
            }
            if !siteTensors.contains(tensor.name), !same(original.bytes(of: tensor), protected.bytes(of: twin)) {
                problems.append("tensor \(tensor.name) differs, and no symmetry site may change it")
            }
        }
        for name in protected.tensors.keys where original.tensors[name] == nil {
            problems.append("tensor \(name) is not in \(original.path)")
        }
        return problems + configDifferences(original.config?.root, protected.config?.root)
    }

    private static func configDifferences(_ a: JSONValue?, _ b: JSONValue?) -> [String] {
        let members = [a, b].flatMap { $0?.object?.members ?? [] }
        var keys: OrderedSet<String> = []
        for member in members { keys.append(member.key) }
        return keys.filter { !irrelevantConfigKeys.contains($0) && a?[$0] != b?[$0] }
            .map { key in
                let (before, after) = (a?[key]?.serialized() ?? "absent", b?[key]?.serialized() ?? "absent")
                return "config.json: \(key) is \(after), expected \(before)"
            }
    }

    /// Sites that the manifest says are protected and that have not moved.
    private static func brokenClaims(_ manifest: Manifest, _ results: [SiteResult]) -> [String] {
        let layers = manifest.layers.map(Set.init)
        return results.filter { result in
            !result.isMoved && manifest.siteKinds.contains(result.kind) && (layers?.contains(result.layer) ?? true)
        }
        .map { "site \($0.path) has not moved, but \(Manifest.fileName) says that it is protected" }
    }
}
