import Architectures
import Checkpoints
import LinearAlgebra
import Protections
import Symmetries
import Synchronization

/// Proves from the weights alone that two checkpoints compute the same function: at every site what the group leaves invariant has
/// not moved, and everything outside the sites is the same to the bit.
public struct AlgebraicVerification: Sendable {
    private let threads: Int
    private let isExhaustive: Bool

    /// - Parameter isExhaustive: form the full products of every head's two sides instead of probing them.
    public init(threads: Int? = nil, isExhaustive: Bool = false) {
        self.threads = WorkerThreads.count(threads)
        self.isExhaustive = isExhaustive
    }

    /// - Throws: `ArchitectureError` when the original is of no known architecture; differences are reported, not thrown.
    public func verify(_ original: Checkpoint, _ protected: Checkpoint) throws -> VerificationReport {
        BLASThreads.use(1)
        let architecture = try Architecture.resolve(original)
        let manifest = try RoundingAllowance.manifest(of: protected)
        let allowance = try RoundingAllowance(manifest, architecture, original, threads: threads)
        let headSites = architecture.headSites.filter(allowance.covers)
        let sites = architecture.sites + headSites
        let kinds = Self.kinds(of: sites)
        let sums = try TensorSums.all(original, protected, threads: threads)
        let files = try FileComparison(original, protected)
        let probes = Probes(for: architecture.sites, in: original, sums: sums)
        let placement = try placement(of: headSites, architecture, original, protected, probes)
        let coverage = SiteCoverage(architecture.sites, placement, in: original)
        var problems = Self.differences(original, protected, outside: coverage, sums: sums) + files.faults
        let verification = SiteVerification(
            sites, original, protected, allowance, placement, probes, sums: sums, isExhaustive: isExhaustive)
        let found = Mutex([SiteResult?](repeating: nil, count: sites.count))
        try WorkerThreads.forEach(sites.count, threads: threads) { number, scratch in
            let result = try verification.result(sites[number], scratch: scratch)
            found.withLock { $0[number] = result }
        }
        let results = found.withLock { $0.compactMap { $0 } }
        if let manifest {
            problems += ManifestCheck(manifest: manifest, architecture: architecture, allowance: allowance).problems
            problems += Self.brokenClaims(manifest, results)
        }
        var displacement = TensorSums.none
        var byKind: [Site.Kind: TensorSums] = [:]
        // Added up in a fixed order, so that the figures do not depend on threads.
        for name in original.tensors.keys {
            guard let sums = sums[name] else { continue }
            displacement.add(sums)
            if let kind = kinds[name] { byKind[kind, default: .none].add(sums) }
        }
        return VerificationReport(
            family: architecture.family, sites: results, problems: problems, differences: files.differences,
            displacement: displacement.ratio,
            displacementByKind: byKind.mapValues(\.ratio), opaqueParts: architecture.opaqueParts,
            canBeEvaluated: original.tensors.values.allSatisfy { tensor in
                protected.tensors[tensor.name].map { $0.type == tensor.type && $0.shape == tensor.shape } ?? false
            })
    }

    /// Where heads stand, of the blocks in which the manifest says that they were moved.
    private func placement(
        of headSites: [Site], _ architecture: Architecture, _ original: Checkpoint, _ protected: Checkpoint,
        _ probes: Probes
    ) throws -> HeadPlacement {
        let names = Set(headSites.map(\.path))
        let blocks = architecture.attention.filter { $0.headSites.contains { names.contains($0.path) } }
        let found = Mutex([String: Monomial]())
        try WorkerThreads.forEach(blocks.count, threads: threads) { number, scratch in
            let permutations = try HeadMatching(
                block: blocks[number], original: original, protected: protected, probes: probes, scratch: scratch
            ).permutations()
            found.withLock { $0.merge(permutations) { first, _ in first } }
        }
        return HeadPlacement(found.withLock { $0 }, of: headSites)
    }

    private static func kinds(of sites: [Site]) -> [String: Site.Kind] {
        var kinds: [String: Site.Kind] = [:]
        for site in sites {
            for slice in site.slices where kinds[slice.tensor] == nil { kinds[slice.tensor] = site.kind }
        }
        return kinds
    }

    /// Tensors that are missing, added, of another type or shape, or changed where no site may change them.
    private static func differences(
        _ original: Checkpoint, _ protected: Checkpoint, outside coverage: SiteCoverage, sums: [String: TensorSums]
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
            guard sums[tensor.name]?.isSame != true else { continue }
            if !coverage.contains(tensor.name) {
                problems.append("tensor \(tensor.name) differs, and no symmetry site may change it")
            } else if let place = coverage.difference(tensor, original, protected) {
                problems.append("tensor \(tensor.name) differs in \(place), which no symmetry site may change")
            }
        }
        for name in protected.tensors.keys where original.tensors[name] == nil {
            problems.append("tensor \(name) is not in \(original.path)")
        }
        return problems
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
