import Architectures
import Checkpoints
import ForwardPass
import LinearAlgebra
import Symmetries

/// Runs the protected model and the base on the same inputs, step by step side by side, and compares what they compute of each site's channels: outputs of the
/// maps of queries, keys, values and routers (biases included, before any rotary embedding), what an MLP's down projection and an attention's output projection
/// read, and the states of residual streams behind every block.
///
/// Sums are dropped as soon as no later step adds to them: at no time are more held than one layer's blocks need, and a residual stream's d x d.
struct ActivationComparison {
    private let own, before: Model
    private let inputs: ModelInputs
    private let architecture: Architecture
    private let maps: [String: [Projection]]

    init(_ protected: Checkpoint, to base: Checkpoint, on inputs: ModelInputs, threads: Int) throws {
        (own, before) = (try Model(protected, threads: threads), try Model(base, threads: threads))
        (self.inputs, architecture) = (inputs, own.architecture)
        maps = Dictionary(grouping: architecture.projections, by: \.weight)
    }

    /// Hands over sites with what is seen of them, as soon as all of it is; those last of which nothing is.
    /// - Throws: `AlignmentError.noActivationsAt` where what is seen is zero or no number.
    func compare(_ stage: [Site], _ use: ([Site], SiteActivations.Seen) throws -> Void) throws {
        let gathered = collectors(for: stage)
        let points = Set(gathered.flatMap { $0.sources.map(\.point) })
        var done: Set<String> = []
        if !points.isEmpty {
            try own.inStep(with: before, on: inputs, observing: points) { computed, ended in
                for (point, pair) in computed {
                    try check(pair.own, own, point)
                    try check(pair.other, before, point)
                }
                for collector in gathered {
                    try collector.take(computed)
                    if collector.isDone(after: ended) {
                        try use(collector.sites, collector.seen)
                        collector.clear()
                        done.formUnion(collector.sites.map(\.path))
                    }
                }
            }
        }
        let rest = stage.filter { !done.contains($0.path) }
        if !rest.isEmpty { try use(rest, [:]) }
    }

    private func check(_ values: Matrix<Float>, _ model: Model, _ point: ActivationPoint) throws(AlignmentError) {
        let isUsable = values.elements.allSatisfy(\.isFinite) && values.elements.contains { $0 != 0 }
        guard isUsable else {
            throw .noActivationsAt(path: model.weights.checkpoint.path, point: architecture.spelling(of: point))
        }
    }

    private func collectors(for stage: [Site]) -> [SiteActivations] {
        var blocks: [String: [Site]] = [:]
        var collectors: [SiteActivations] = []
        for site in stage {
            if site.kind == .heads {
                blocks[HeadMatcher.place(of: site).block, default: []].append(site)
                continue
            }
            let sources = site.kind == .residual ? states(of: site) : site.slices.compactMap { source($0, of: site) }
            if !sources.isEmpty {
                collectors.append(
                    SiteActivations([site], sources, isWhole: !site.group.isMonomial, threads: own.threads))
            }
        }
        for (_, sites) in blocks.sorted(by: { $0.key < $1.key }) {
            let outputs = sites.lazy.flatMap(\.slices).first { if case .output = $0.part { true } else { false } }
            guard let outputs, let map = maps[outputs.tensor]?.first, maps[outputs.tensor]?.count == 1 else { continue }
            let source = SiteActivations.Source(
                point: .input(of: map.storedMap), representation: .direct, channels: .init(count: map.inputCount))
            collectors.append(SiteActivations(sites, [source], isWhole: true, threads: own.threads))
        }
        return collectors
    }

    /// Behind the embedding and every block of the stacks on the stream.
    private func states(of site: Site) -> [SiteActivations.Source] {
        guard let stream = architecture.residualStreams.first(where: { $0.site?.path == site.path }) else { return [] }
        let names = Set(stream.stacks.map { architecture.stacks[$0].name })
        return architecture.streamPoints.compactMap { point in
            switch point {
            case .embedding(let stack), .block(let stack, _, _):
                names.contains(stack)
                    ? .init(point: point, representation: .direct, channels: .init(count: site.group.dimension)) : nil
            case .states, .input, .output: nil
            }
        }
    }

    /// What a map computes of the channels; of MLPs what the down projection reads, on which A acts as on what gives it.
    private func source(_ slice: Site.Slice, of site: Site) -> SiteActivations.Source? {
        guard let projections = maps[slice.tensor], let first = projections.first else { return nil }
        let count = site.group.dimension
        switch slice.part {
        case .down:
            let rows = first.outputAxis == 0 ? first.storedOutputs : first.inputCount
            let place = (slice.axis == 0 ? slice.start : slice.across?.lowerBound ?? 0) / max(rows, 1)
            guard let map = projections.first(where: { $0.expert ?? 0 == place }), map.inputCount == count else {
                return nil
            }
            return .init(point: .input(of: map.storedMap), representation: .direct, channels: .init(count: count))
        case .query, .key, .value, .outputGate, .router:
            guard slice.axis == first.outputAxis, slice.width == 1, first.expert == nil else { return nil }
            return .init(
                point: .output(of: first.storedMap), representation: slice.representation,
                channels: .init(start: slice.start, stride: slice.stride, count: count))
        case .output, .gate, .up, .queryGain, .keyGain, .sinks, .residual: return nil
        }
    }
}
