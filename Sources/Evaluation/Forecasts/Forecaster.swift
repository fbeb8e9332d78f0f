import Checkpoints
import Foundations
import Protections
import Rewriting
import Symmetries

/// Foretells what methods take on one model.
struct Forecaster {
    private let checkpoint: Checkpoint
    private let threads: Int
    /// Of the process, before any protection.
    private let resident = ProcessUsage.residentBytes
    /// Processor seconds for each byte: of a tag, of copying, of measuring channels.
    private let tag, copy, measuring: Double
    /// Processor seconds that opening a model takes.
    private let opening: Double
    private var trials: TileTrials
    private var solving: [String: Double] = [:]

    /// - Parameters:
    ///   - sites: all of the model's.
    ///   - measuring: processor seconds that measuring the channels of all sites took.
    ///   - opening: those that a program takes until it knows a model's sites.
    init(_ checkpoint: Checkpoint, _ sites: [Site], measuring: Double, opening: Double, threads: Int?) throws {
        (self.checkpoint, self.threads) = (checkpoint, WorkerThreads.count(threads))
        self.measuring = measuring / Double(max(WeightPowers.measuredBytes(sites, in: checkpoint).reduce(0, +), 1))
        self.opening = opening
        trials = TileTrials(threads: self.threads)
        (tag, copy) = try TileTrials.rates(threads: self.threads)
    }

    /// A method that acts at sites by one law.
    /// - Returns: nil where trials took too long, or cannot be made of these weights.
    mutating func forecast(_ step: ProtectionStep, _ sites: [Site]) throws -> Forecast? {
        do { return try added(step, sites) } catch let stop as Interrupted { throw stop } catch RewritingError
            .inexactScaling where step.condition > 1
        {
            // Protecting leaves powers of two out then.
            return try forecast(ProtectionStep(method: step.method, sampler: step.sampler, condition: 1), sites)
        } catch { return nil }
    }

    private mutating func added(_ step: ProtectionStep, _ sites: [Site]) throws -> Forecast? {
        let elements = SampleElements(DrawLaw(step.sampler, condition: step.condition))
        let kinds = try kinds(sites, elements)
        try measure(kinds, sites, elements)
        var (seconds, rewritten, largest, tile) = (opening, 0, 0, 0)
        for (name, kind) in kinds {
            guard let tensor = checkpoint.tensors[name] else { continue }
            guard let rate = trials[kind] else { return nil }
            seconds += rate * Double(tensor.byteCount)
            rewritten += tensor.byteCount
            largest = max(largest, tensor.byteCount)
            tile = max(tile, trials.tileBytes[kind] ?? 0)
        }
        let kept = checkpoint.tensorBytes - rewritten
        seconds += (tag + copy) * Double(kept) + 2 * tag * Double(rewritten)
        let measured = step.sampler == .exact ? [] : WeightPowers.measuredBytes(sites, in: checkpoint)
        seconds += measuring * Double(measured.reduce(0, +))
        for site in sites {
            if let own = try solvingSeconds(step, site) {
                seconds += own
            } else if case .generalLinear = site.group {
                seconds += try elements.seconds(at: site)
            } else {
                // What is cheap is drawn for each tensor.
                seconds += try elements.seconds(at: site) * Double(Set(site.slices.map(\.tensor)).count)
            }
        }
        return Forecast(
            seconds: seconds / Double(threads),
            peakBytes: resident
                + max(
                    CheckpointWriter.workingBytes(
                        threads: threads, largestTensor: largest, largestTile: tile,
                        of: checkpoint.tensorBytes),
                    threads * (measured.max() ?? 0)))
    }

    /// A method that changes some tensors and draws nothing; nil where it can't be tried without what the user gives.
    func forecast(_ change: any WeightChange, of tensors: [TensorRecord]) throws -> Forecast? {
        guard let change = change as? any RehearsedChange,
            let largest = tensors.max(by: { $0.byteCount < $1.byteCount })
        else { return nil }
        let bytes = checkpoint.bytes(of: largest)
        let sample = UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, 1 << 22)])
        var rate = 0.0
        for _ in 0..<2 {
            let started = ProcessUsage.threadSeconds
            let count = try change.rehearse(sample, largest.type)
            rate = (ProcessUsage.threadSeconds - started) / Double(max(count, 1))
        }
        let changed = tensors.reduce(0) { $0 + $1.byteCount }
        let seconds =
            opening + rate * Double(changed) + tag * Double(checkpoint.tensorBytes)
            + copy * Double(checkpoint.tensorBytes - changed)
        return Forecast(
            seconds: seconds / Double(threads),
            peakBytes: resident
                + max(
                    CheckpointWriter.workingBytes(
                        threads: threads, largestTensor: 2 * largest.byteCount, largestTile: 0,
                        of: checkpoint.tensorBytes),
                    2 * threads * largest.byteCount))
    }

    /// By tensor, what is done to it.
    private func kinds(_ sites: [Site], _ elements: SampleElements) throws -> [String: TileTrials.Kind] {
        var acts: [String: Set<String>] = [:]
        for site in sites {
            let form = try elements.form(at: site)
            for slice in site.slices {
                acts[slice.tensor, default: []].insert("\(slice.axis) \(site.kind.movesBlocks ? "blocks" : form)")
            }
            for name in site.exchanges.flatMap(\.self) { acts[name, default: []].insert("exchange") }
        }
        var kinds: [String: TileTrials.Kind] = [:]
        for (name, acts) in acts {
            guard let tensor = checkpoint.tensors[name] else { continue }
            kinds[name] = TileTrials.Kind(
                type: tensor.type, columns: tensor.matrixShape.columns, acts: acts.sorted())
        }
        return kinds
    }

    private mutating func measure(
        _ kinds: [String: TileTrials.Kind], _ sites: [Site], _ elements: SampleElements
    ) throws {
        var examples: [TileTrials.Kind: String] = [:]
        for (name, kind) in kinds where trials[kind] == nil {
            // The largest tells most.
            let size = checkpoint.tensors[name]?.byteCount ?? 0
            if let known = examples[kind], (checkpoint.tensors[known]?.byteCount ?? 0, name) >= (size, known) {
                continue
            }
            examples[kind] = name
        }
        guard !examples.isEmpty else { return }
        let names = Set(examples.values)
        let own = sites.filter { site in
            site.slices.contains { names.contains($0.tensor) }
                || site.exchanges.contains { !names.isDisjoint(with: $0) }
        }
        let script = try EditScript(own, of: checkpoint)
        let rewriter = try Rewriter(
            script, of: checkpoint, by: elements, gains: FoldedGains(own, in: checkpoint), isInverse: false,
            allowsNonFinite: true)
        try trials.measure(
            examples.sorted { $0.value < $1.value }.compactMap { kind, name in
                checkpoint.tensors[name].flatMap { rewriter.producer(of: $0.spec) }.map { (kind, $0) }
            })
    }

    /// Processor seconds of solving for an element; nil where it is drawn.
    private mutating func solvingSeconds(_ step: ProtectionStep, _ site: Site) throws -> Double? {
        guard step.sampler == .reflection else { return nil }
        let name = "\(site.group) \(site.slices.map(\.axis)) \(site.kind)"
        if let known = solving[name] { return known }
        let started = ProcessUsage.threadSeconds
        guard try step.trySolving(at: site, of: checkpoint) else { return nil }
        let seconds = ProcessUsage.threadSeconds - started
        solving[name] = seconds
        return seconds
    }
}
