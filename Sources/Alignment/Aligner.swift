import Architectures
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Rewriting
import Symmetries
import Synchronization

/// Aligns a protected model to its public base, or to any relative, itself locked or not: finds the element of every site and undoes it, from the outside in.
///
/// Residual streams first, whose channels the tables of tokens tell; then experts by their routers, heads by their circuits, and within what lies where
/// the base's does every head, pair and hidden channel. No key and no manifest are looked at, and data only where a method asks for them.
public struct Aligner: Sendable {
    private let method: AlignmentMethod
    private let calibration: ModelInputs?
    private let threads: Int
    private let progress: (@Sendable (_ done: Int, _ all: Int) -> Void)?

    /// - Parameters:
    ///   - calibration: inputs on which the base's activations are looked at, for methods that use them.
    ///   - progress: told of sites whose elements are found, of all.
    public init(
        _ method: AlignmentMethod, calibration: ModelInputs? = nil, threads: Int? = nil,
        progress: (@Sendable (_ done: Int, _ all: Int) -> Void)? = nil
    ) {
        (self.method, self.calibration, self.progress) = (method, calibration, progress)
        self.threads = WorkerThreads.count(threads)
    }

    /// What was found.
    public struct Report: Sendable {
        /// By site, in the order in which they were found.
        public let sites: [Site]
        public let estimates: [String: Estimate]

        /// The mean over the sites of a kind.
        public func agreement(_ kind: Site.Kind) -> Double? {
            let found = sites.filter { $0.kind == kind }.compactMap { estimates[$0.path]?.agreement }
            return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
        }

        /// How many sites of a kind each method was taken at, the most frequent first.
        public func methods(_ kind: Site.Kind) -> [(method: String, count: Int)] {
            var counts: [String: Int] = [:]
            for site in sites where site.kind == kind {
                if let method = estimates[site.path]?.method, !method.isEmpty { counts[method, default: 0] += 1 }
            }
            return counts.map { ($0.key, $0.value) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
        }
    }

    /// Writes the protected model in the base's coordinates to a new directory.
    /// - Throws: `AlignmentError` where base and model do not go together.
    @discardableResult
    public func align(_ protected: Checkpoint, to base: Checkpoint, writing path: String) throws -> Report {
        let (aligned, report) = try aligned(protected, to: base)
        try AttackedOutput.write(aligned, of: [protected, base], to: path, threads: threads)
        return report
    }

    /// The aligned model, whose tensors are made when they are asked for, and what was found.
    public func aligned(_ protected: Checkpoint, to base: Checkpoint) throws -> (Checkpoint, Report) {
        BLASThreads.use(1)
        let protected = protected.withHead(like: [base])
        let architecture = try Architecture.resolve(protected)
        try Self.check(protected, against: base, architecture)
        if method.usesActivations, calibration == nil { throw AlignmentError.noCalibration(method: method.name) }
        let metric =
            method.weightsInputs
            ? try calibration.map { try ActivationMetric(base, on: $0, threads: threads) } : nil
        var model = protected
        var (sites, estimates): ([Site], [String: Estimate]) = ([], [:])
        var streams: Set<String> = []
        for stream in architecture.residualStreams {
            guard let turned = TurnedStream(stream, base: base, protected: model) else { continue }
            guard let estimate = try turned.estimate(Self.tables(of: turned.site, in: architecture)) else { continue }
            model = try turned.undone(estimate)
            sites.append(turned.site)
            estimates[turned.site.path] = estimate
            if let path = stream.site?.path { streams.insert(path) }
        }
        let stages = Self.stages(of: architecture).map { $0.filter { !streams.contains($0.path) } }
        let all = stages.reduce(sites.count) { $0 + $1.count }
        for stage in stages where !stage.isEmpty {
            let found = try estimate(stage, architecture, base, model, metric, done: sites.count, of: all)
            sites += stage
            estimates.merge(found) { $1 }
            for (part, elements) in undoing(stage, found) {
                model = Checkpoint(
                    model, making: try EditedWeights(EditScript(part, of: model), of: model, undoing: elements))
            }
        }
        return (model, Report(sites: sites, estimates: estimates))
    }

    /// From the outside in: what is undone first is what acted last.
    private static func stages(of architecture: Architecture) -> [[Site]] {
        let (outer, heads) = (architecture.outerSites, architecture.headSites)
        return [
            outer.filter { $0.kind == .residual },
            outer.filter { $0.kind == .experts },
            heads.filter { $0.path.hasSuffix(".heads") },
            heads.filter { !$0.path.hasSuffix(".heads") },
            architecture.sites,
        ]
    }

    private func estimate(
        _ stage: [Site], _ architecture: Architecture, _ base: Checkpoint, _ model: Checkpoint,
        _ metric: ActivationMetric?, done: Int, of all: Int
    ) throws -> [String: Estimate] {
        var found: [String: Estimate] = [:]
        func find(_ sites: [Site], _ seen: SiteActivations.Seen) throws {
            found.merge(
                try estimate(sites, seen, architecture, base, model, metric, done: done + found.count, of: all)
            ) { $1 }
        }
        guard method.comparesActivations, let calibration else {
            try find(stage, [:])
            return found
        }
        try ActivationComparison(model, to: base, on: calibration, threads: threads).compare(stage, find)
        return found
    }

    private func estimate(
        _ sites: [Site], _ seen: SiteActivations.Seen, _ architecture: Architecture, _ base: Checkpoint,
        _ model: Checkpoint, _ metric: ActivationMetric?, done: Int, of all: Int
    ) throws -> [String: Estimate] {
        let estimator = SiteEstimator(method: method, base: base, protected: model, metric: metric, seen: seen)
        var matcher = HeadMatcher(
            architecture.sites, base: base, protected: model,
            metric: method.usesActivations ? metric : nil)
        if method.weightShare != nil { matcher.contexts = seen[.direct] }
        let found = Mutex<[String: Estimate]>([:])
        let (heads, progress) = (matcher, progress)
        try WorkerThreads.forEach(sites.count, threads: threads) { number, _ in
            let site = sites[number]
            let estimate =
                switch site.kind {
                case .heads: try heads.estimate(site)
                case .experts: try estimator.estimate(site.keeping { $0.part == .router })
                case .residual:
                    try estimator.estimate(
                        Self.tables(of: site, in: architecture).keeping { base.tensors[$0.tensor] != nil })
                default: try estimator.estimate(site)
                }
            let count = found.withLock { found in
                found[site.path] = estimate
                return found.count
            }
            progress?(done + count, all)
        }
        return found.withLock(\.self)
    }

    /// What is undone of a stage, one after the other: all at once, or, where each side of a site has an element of its own, both sides.
    private func undoing(_ stage: [Site], _ found: [String: Estimate]) -> [([Site], EstimatedElements)] {
        let split = stage.filter { found[$0.path]?.dual != nil }
        guard !split.isEmpty else { return [(stage, EstimatedElements(estimates: found))] }
        let whole = stage.filter { found[$0.path]?.dual == nil }
        return [
            (whole + split.map { $0.keeping { $0.representation != .dual } }, EstimatedElements(estimates: found)),
            (
                split.map { $0.keeping { $0.representation == .dual } },
                EstimatedElements(estimates: found, ofDuals: true)
            ),
        ]
    }

    /// What tells the channels of a stream and nothing else acts on: the tables of tokens and the gains of norms.
    private static func tables(of site: Site, in architecture: Architecture) -> Site {
        let acted = Set(
            (architecture.sites + architecture.headSites + architecture.expertSites).flatMap { $0.slices.map(\.tensor) }
        )
        return site.keeping { !acted.contains($0.tensor) }
    }
}

extension Site {
    /// The same with some of its slices.
    func keeping(_ isKept: (Slice) -> Bool) -> Site {
        Site(
            path: path, kind: kind, layer: layer, group: group, slices: slices.filter(isKept), exchanges: exchanges)
    }
}
