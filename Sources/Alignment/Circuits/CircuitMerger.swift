import Architectures
import Checkpoints
import Foundations
import LinearAlgebra
import Symmetries
import Synchronization

/// Merges models by what no element of a head changes: the circuits `W_o W_v` and `W_qᵀ W_k` of each head, under rotary embeddings of each pair.
///
///     C = Σ w_i C_i,   or with a base   C = C₀ + λ Σ (C_i - C₀),
///
/// factored again at the head's rank, biases as columns of their own. Everything else is averaged in the same way, once residual streams, experts,
/// heads and hidden channels have been matched to the first model by `coupled`. No base, no key and no data are needed: any protected model goes with
/// any relative of its own.
public struct CircuitMerger: Sendable {
    /// Among the names of attacks.
    public static let name = "circuits"
    /// One line.
    public static let summary =
        "merges the protected model with others by what no lock changes, each head's W_o W_v and W_qᵀ W_k; all else is averaged once it was matched; needs no base"

    private let threads: Int
    private let progress: (@Sendable (_ done: Int, _ all: Int) -> Void)?

    /// - Parameter progress: told of sites, of all models'.
    public init(threads: Int? = nil, progress: (@Sendable (_ done: Int, _ all: Int) -> Void)? = nil) {
        (self.threads, self.progress) = (WorkerThreads.count(threads), progress)
    }

    /// What was merged.
    public struct Report: Sendable {
        /// The sites whose circuits were merged.
        public let sites: [Site]
        /// By the path of the site, the share of ‖C‖² that the head's rank has room for.
        public let kept: [String: Double]
        /// How the other models came to lie on the first one, in their order; the base last.
        public let alignments: [Aligner.Report]

        /// The mean over the sites of a kind.
        public func kept(_ kind: Site.Kind) -> Double? {
            let found = sites.filter { $0.kind == kind }.compactMap { kept[$0.path] }
            return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
        }
    }

    /// Writes the merged model, in the protected one's coordinates and types and with its files, to a new directory.
    @discardableResult
    public func merge(
        _ protected: Checkpoint, with others: [Checkpoint], base: Checkpoint? = nil, weight: Double? = nil,
        writing path: String
    ) throws -> Report {
        let (merged, report) = try merged(protected, with: others, base: base, weight: weight)
        try AttackedOutput.write(
            merged, of: [protected] + others + [base].compactMap(\.self), to: path, threads: threads)
        return report
    }

    /// The merged model, and what was merged.
    ///
    /// - Parameter weight: λ, which one part for each model stands for unless it is given; only with a base.
    public func merged(
        _ protected: Checkpoint, with others: [Checkpoint], base: Checkpoint? = nil, weight: Double? = nil
    ) throws -> (Checkpoint, Report) {
        BLASThreads.use(1)
        guard !others.isEmpty else { throw AlignmentError.nothingToMerge(path: protected.path) }
        if weight != nil, base == nil { throw AlignmentError.weightWithoutBase }
        let count = Double(1 + others.count)
        let lambda = weight ?? 1 / count
        guard lambda.isFinite else { throw AlignmentError.weightNotFinite }
        let protected = protected.withHead(like: others + [base].compactMap(\.self))
        let architecture = try Architecture.resolve(protected)
        var models = [(checkpoint: protected, weight: lambda)]
        var alignments: [Aligner.Report] = []
        let relatives = others.map { ($0, lambda) } + (base.map { [($0, 1 - count * lambda)] } ?? [])
        for (number, (other, weight)) in relatives.enumerated() {
            let progress = progress
            let aligner = Aligner(.coupled, threads: threads) { done, all in
                progress?(number * all + done, relatives.count * all)
            }
            let (aligned, report) = try aligner.aligned(other, to: protected)
            models.append((aligned, weight))
            alignments.append(report)
        }
        let average = Checkpoint(protected, making: WeightedSum(models))
        let (memory, kept) = try circuits(of: architecture, models, over: average)
        let sites = architecture.sites.filter { kept[$0.path] != nil }
        let merged = Checkpoint(protected, making: WeightedSum(models, but: memory))
        return (merged, Report(sites: sites, kept: kept, alignments: alignments))
    }

    /// The tensors that hold circuits, merged; and of each site what was kept.
    private func circuits(
        of architecture: Architecture, _ models: [(checkpoint: Checkpoint, weight: Double)], over average: Checkpoint
    ) throws -> (TensorMemory, [String: Double]) {
        let sites = architecture.sites.filter { $0.kind == .valueOutput || $0.kind == .queryKey }
        let names = Set(sites.flatMap { $0.slices.map(\.tensor) }).sorted()
        let records = names.compactMap { average.tensors[$0] }
        let memory = TensorMemory(records.map { ($0.name, $0.type, $0.shape) })
        for record in records {
            let content = average.content(of: record)
            memory.bytes(ofTensor: record.name)?.copyMemory(from: content.bytes)
            withExtendedLifetime(content) {}
        }
        let kept = Mutex<[String: Double]>([:])
        try WorkerThreads.forEach(sites.count, threads: threads) { number, _ in
            let site = sites[number]
            let parts = models.map { model in
                let rows = SiteRows(site, in: model.checkpoint)
                return (Circuit(left: rows.direct, right: rows.dual), model.weight)
            }
            guard let merged = try Circuit.merge(parts, site.group) else { return }
            for (representation, rows) in [
                (Representation.direct, merged.circuit.left), (.dual, merged.circuit.right),
            ] {
                SiteRows.store(
                    rows, in: site.slices.filter { $0.representation == representation }, average.tensors, memory)
            }
            kept.withLock { $0[site.path] = merged.kept }
        }
        return (memory, kept.withLock(\.self))
    }
}
