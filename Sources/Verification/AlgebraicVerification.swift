import Architectures
import Checkpoints
import Foundations
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
        try verify(ModelPair(original, protected, threads: threads))
    }

    public func verify(_ pair: ModelPair) throws -> VerificationReport {
        let (original, protected, architecture) = (pair.original, pair.protected, pair.architecture)
        let (manifest, allowance, sums, outer) = (pair.manifest, pair.allowance, pair.sums, pair.outer)
        let inner = architecture.sites.map(pair.sketch.site)
        let files = try FileComparison(original, protected, isUntied: !pair.sketch.untied.isEmpty, card: manifest?.card)
        let sites = inner + outer.sites
        let kinds = Self.kinds(of: sites)
        let coverage = SiteCoverage(
            inner.map { ($0, $0.slices) } + outer.sites.map { ($0, outer.anchors(of: $0)) },
            outer.placement, in: pair.sketch.original)
        var problems = Self.differences(pair, outside: coverage) + files.faults
        let verification = SiteVerification(sites, pair, isExhaustive: isExhaustive)
        let found = Mutex([SiteResult?](repeating: nil, count: sites.count))
        try WorkerThreads.forEach(sites.count, threads: threads) { number, scratch in
            let result = try verification.result(sites[number], scratch: scratch)
            found.withLock { $0[number] = result }
        }
        let results = found.withLock { $0.compactMap { $0 } }
        if let manifest {
            problems += ManifestCheck(manifest: manifest, architecture: architecture, allowance: allowance).problems
            problems += Self.brokenClaims(allowance, results)
        }
        var differences = files.differences
        if let changes = manifest.flatMap(Self.declaredChanges) {
            // A model that the change was made to before shows nothing of it.
            if problems.isEmpty, results.allSatisfy(\.holds) {
                differences.append("\(changes); the model that this is compared with has that change already")
            } else {
                problems.append("\(changes): the function is not the original's")
            }
        }
        let displacement = Displacement(sums, of: original)
        var byKind: [Site.Kind: TensorSums] = [:]
        // Added up in a fixed order, so that the figures do not depend on threads.
        for name in original.tensors.keys {
            if let sums = sums[name], let kind = kinds[name] { byKind[kind, default: .none].add(sums) }
        }
        return VerificationReport(
            family: architecture.family, sites: results, problems: problems, differences: differences,
            displacement: displacement.all, movedDisplacement: displacement.ofMoved,
            displacementByKind: byKind.mapValues(\.ratio), opaqueParts: architecture.opaqueParts,
            canBeEvaluated: original.tensors.values.allSatisfy { tensor in
                protected.tensors[tensor.name].map { $0.type == tensor.type && $0.shape == tensor.shape } ?? false
            })
    }

    private static func kinds(of sites: [Site]) -> [String: Site.Kind] {
        var kinds: [String: Site.Kind] = [:]
        for site in sites {
            for slice in site.slices where kinds[slice.tensor] == nil { kinds[slice.tensor] = site.kind }
        }
        return kinds
    }

    /// Tensors that are missing, added, of another type or shape, or changed where no site may change them.
    private static func differences(_ pair: ModelPair, outside coverage: SiteCoverage) -> [String] {
        let (original, protected, sketch) = (pair.original, pair.protected, pair.sketch)
        let placement = pair.outer.placement
        var problems = sketch.problems
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
            if let gain = sketch.folded[tensor.name] {
                if !sketch.isFolded(gain) {
                    problems.append("tensor \(tensor.name) is not 1 throughout, though its stream was turned")
                }
                continue
            }
            if sketch.isSketched(tensor.name) {
                if let place = coverage.difference(tensor, sketch) {
                    problems.append("tensor \(tensor.name) differs in \(place), which no symmetry site may change")
                }
                continue
            }
            if pair.sums[tensor.name]?.isSame == true, placement.leaves(tensor.name) { continue }
            if !coverage.contains(tensor.name) {
                problems.append("tensor \(tensor.name) differs, and no symmetry site may change it")
            } else if let place = coverage.difference(tensor, original, protected) {
                problems.append("tensor \(tensor.name) differs in \(place), which no symmetry site may change")
            }
        }
        for untied in sketch.untied {
            guard let head = protected.tensors[untied.head], let table = original.tensors[untied.table] else {
                problems.append("tensor \(untied.head) is missing from \(protected.path)")
                continue
            }
            if head.type != table.type || head.shape != table.shape {
                problems.append(
                    "tensor \(head.name) is \(head.type.rawValue) \(head.shape), expected \(table.type.rawValue) \(table.shape)"
                )
            } else if let place = coverage.difference(head, sketch) {
                problems.append("tensor \(head.name) is not the head that \(table.name) was: it differs in \(place)")
            }
        }
        let added = Set(sketch.untied.map(\.head))
        for name in protected.tensors.keys where !added.contains(name) && original.tensors[name] == nil {
            problems.append("tensor \(name) is not in \(original.path)")
        }
        return problems
    }

    /// What a manifest says of weights that were changed.
    private static func declaredChanges(_ manifest: Manifest) -> String? {
        guard !manifest.changed.isEmpty else { return nil }
        let methods = manifest.changedBy.joined(separator: " and ")
        return
            "\(Manifest.fileName) says that \(methods) changed the weights of \(manifest.changed.count) tensors before any lock"
    }

    /// Sites that the manifest says are protected and that have not moved.
    private static func brokenClaims(_ allowance: RoundingAllowance, _ results: [SiteResult]) -> [String] {
        let acted = Set(allowance.sites.map(\.path))
        return results.filter { !$0.isMoved && acted.contains($0.path) }
            .map { "site \($0.path) has not moved, but \(Manifest.fileName) says that it is protected" }
    }
}
