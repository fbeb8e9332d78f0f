import Alignment
import Checkpoints
import Symmetries

/// The method that merges and aligns nothing by itself.
extension Attack {
    func mergeCircuits() throws {
        try reportingErrors {
            let model = try openModel(protected)
            let others = try with.map { try openModel($0, including: []) }
            let origin = try base.map { try openModel($0, including: []) }
            try AddressSpace.require(threads: cores.threads)
            let bar = ProgressBar("align", of: .share, quiet: display.quiet)
            let started = ContinuousClock.now
            let report = try CircuitMerger(threads: cores.threads) { bar.update(done: $0, of: $1) }
                .merge(model, with: others, base: origin, weight: weight, writing: output)
            bar.finish()
            let elapsed = seconds(ContinuousClock.now - started)
            let kinds = Site.Kind.allCases.compactMap { kind in
                report.kept(kind).map { kept in
                    MergedKind(kind: kind.rawValue, sites: report.sites.count { $0.kind == kind }, kept: kept)
                }
            }
            if display.json {
                try print(
                    json: MergedResult(
                        output: output, method: CircuitMerger.name, sites: kinds, seconds: elapsed))
            } else {
                print(
                    table(
                        [["site", "count", "kept of circuits"]]
                            + kinds.map { [$0.kind, "\($0.sites)", "\(fixed(100 * $0.kept, 2)) %"] }))
                print("wrote \(output) (\(fixed(elapsed, 2)) s)")
            }
        }
    }

    private struct MergedKind: Encodable {
        let kind: String
        let sites: Int
        let kept: Double
    }

    private struct MergedResult: Encodable {
        let output, method: String
        let sites: [MergedKind]
        let seconds: Double
    }
}
