import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Checks the sites of two checkpoints one after the other and lets go of the pages that no later one needs.
final class SiteVerification: Sendable {
    private let pair: ModelPair
    private let original: Checkpoint
    private let protected: Checkpoint
    private let allowance: RoundingAllowance
    private let outer: OuterSites
    private let sums: [String: TensorSums]
    private let probes: Probes
    private let isExhaustive: Bool
    /// How many sites still read the columns of a tensor.
    private let readers: Mutex<[String: Int]>

    init(
        _ sites: [Site], _ pair: ModelPair, isExhaustive: Bool
    ) {
        self.pair = pair
        (original, protected) = (pair.sketch.original, pair.sketch.protected)
        (allowance, sums, outer, probes) = (pair.allowance, pair.sums, pair.outer, pair.probes)
        self.isExhaustive = isExhaustive
        var readers: [String: Int] = [:]
        for slice in sites.filter({ !$0.kind.isOuter }).flatMap(\.slices) { readers[slice.tensor, default: 0] += 1 }
        self.readers = Mutex(readers)
    }

    func result(_ site: Site, scratch: WorkerScratch) throws -> SiteResult {
        defer { release(site) }
        let types = site.slices.flatMap { slice in
            [pair.original, pair.protected].compactMap { $0.tensors[slice.tensor]?.type }
        }
        let tensors = site.slices.map(\.tensor)
        let tolerance = pair.sketch.tolerance(tensors, types: types)
        let isSketched = tensors.contains(where: pair.sketch.isSketched)
        var result = SiteResult(
            path: site.path, kind: site.kind, layer: site.layer, tolerance: tolerance.relative,
            allowedMultiple: allowance.allowed(at: site, types: types))
        let placement = outer.placement
        if site.kind.isOuter {
            let worst = outer.worstError(at: site, scratch)
            result.include(worst.value, worst.place)
            result.isMoved =
                placement.isMoved(site) || worst.value > 0
                || pair.sketch.streams.contains { $0.site.path == site.path && $0.isMoved }
            return result
        }
        if !isSketched, site.slices.allSatisfy({ sums[$0.tensor]?.isSame == true && placement.leaves($0.tensor) }) {
            return result
        }
        guard let whole = PartViews.all(of: site, channels: 0..<site.group.dimension, original, protected, placement)
        else {
            result.include(.infinity, "its tensors do not fit")
            result.isMoved = true
            return result
        }
        result.isMoved = !whole.flatMap(\.pieces).allSatisfy { before, after in
            // Whatever turns a stream changes every bit that reads it.
            before.isSame(as: after)
                || pair.sketch.isSketched(before.slice.tensor) && before.isNear(after, tolerance.relative)
        }
        guard result.isMoved || isSketched else { return result }
        let isWide = types.contains { $0 != .bf16 && $0 != .f16 }
        for block in SiteBlock.blocks(of: site.group) {
            guard let parts = PartViews.all(of: site, channels: block.channels, original, protected, placement)
            else { continue }
            switch block.law {
            case .linear where !allowance.isExact:
                if isWide {
                    try compare(Double.self, parts, block, tolerance, scratch, &result)
                } else {
                    try compare(Float.self, parts, block, tolerance, scratch, &result)
                }
            case .pairs(let pairing, let law) where isSketched || !allowance.isExact && law != .signs:
                let worst = PairRecovery(
                    pairing: pairing, law: law, parts: parts, tolerance: tolerance, sketch: pair.sketch,
                    scratch: scratch
                ).worstError()
                result.include(worst.value, worst.place)
            case .monomial(let scales) where isSketched:
                let recovery = TolerantRecovery(parts: parts, channels: block.channels.count, scales: scales)
                let worst = recovery.worstError()
                result.include(worst.value, worst.place)
            default:
                let worst = ExactRecovery(
                    parts: parts, channels: block.channels.count, law: block.law, scratch: scratch
                ).worstError()
                result.include(worst.value, worst.place)
            }
        }
        return result
    }

    private func compare<Real: ProbedScalar>(
        _ type: Real.Type, _ parts: [PartViews], _ block: SiteBlock, _ tolerance: Tolerance, _ scratch: WorkerScratch,
        _ result: inout SiteResult
    ) throws {
        let finding = try BilinearInvariant<Real>(
            parts: parts, channels: block.channels.count, tolerance: tolerance, probes: probes,
            sketch: pair.sketch,
            isExhaustive: isExhaustive, scratch: scratch
        ).finding()
        result.include(finding.worst.value, finding.worst.place)
        result.roundingMultiple = max(result.roundingMultiple, finding.roundingMultiple)
        result.isZero = finding.isZero
    }

    private func release(_ site: Site) {
        guard !site.kind.isOuter else { return }
        for slice in site.slices {
            let isLast = readers.withLock { readers in
                readers[slice.tensor, default: 1] -= 1
                return readers[slice.tensor, default: 0] <= 0
            }
            let places = [(original, slice.tensor), (protected, outer.placement.tensor(slice.tensor))]
            for (checkpoint, name) in places {
                guard let tensor = checkpoint.tensors[name] else { continue }
                if isLast { checkpoint.releasePages(of: tensor) }
                // Rows are this site's alone; columns are read on by others.
                let rows =
                    slice.across
                    ?? (slice.axis == 0 ? slice.start..<slice.start + site.group.dimension * slice.width : nil)
                let rowBytes = tensor.matrixShape.columns * tensor.type.bitWidth / 8
                if let rows, rows.upperBound * rowBytes <= tensor.byteCount {
                    checkpoint.releasePages(of: tensor, bytes: rows.lowerBound * rowBytes..<rows.upperBound * rowBytes)
                }
            }
        }
    }
}
