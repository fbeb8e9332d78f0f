import Architectures
import Checkpoints
import Foundations

/// A model's weights with some tensors changed: everything that looks at weights afterwards sees these.
final class ChangedWeights: TensorSource {
    /// Values that change at once.
    static let run = 1 << 15

    private let model: Checkpoint
    private let base: Checkpoint?
    /// In the order in which they act.
    private let changes: [String: [any TensorChange]]
    private let threads: Int

    init(_ model: Checkpoint, base: Checkpoint?, changes: [String: [any TensorChange]], threads: Int?) {
        (self.model, self.base, self.changes) = (model, base, changes)
        self.threads = WorkerThreads.count(threads)
    }

    /// Plans what steps change of a model, each seeing what those before it have changed.
    /// - Returns: nil where nothing is changed.
    convenience init?(
        _ steps: ProtectionSteps, of model: Checkpoint, _ architecture: Architecture, options: ProtectionOptions,
        by derivation: Derivation, scratch: String
    ) throws {
        let (base, threads) = (options.base, options.threads)
        var changes = try options.adapter?.changes().mapValues { [$0] } ?? [:]
        for (number, step) in steps.all.enumerated() {
            guard let change = step.change else { continue }
            let seen =
                changes.isEmpty
                ? model
                : Checkpoint(model, making: ChangedWeights(model, base: base, changes: changes, threads: threads))
            let context = ChangeContext(
                model: seen, base: base, architecture: architecture, step: step, inputs: options.calibration,
                threads: threads, scratch: scratch
            ) { derivation.stream(site: $0, step: number) }
            if change.needsBase, let base {
                try BaseModel.check(base, against: seen, for: Set(change.tensors(context).map(\.name)))
            }
            for (name, planned) in try change.plan(context) { changes[name, default: []].append(planned) }
        }
        guard !changes.isEmpty else { return nil }
        self.init(model, base: base, changes: changes, threads: threads)
    }

    var others: [Checkpoint] { [base].compactMap(\.self) }
    var names: [String] { changes.keys.sorted() }

    func makes(_ name: String) -> Bool { changes[name] != nil }

    func fill(_ tensor: TensorRecord, _ output: UnsafeMutableRawBufferPointer) {
        let count = tensor.elementCount
        let width = tensor.type.bitWidth / 8
        let target = Target(output)
        // Whoever else needs this tensor waits for it, so that its thread is free. What stops the others stops nothing here.
        let workers = min(threads, max(1, count / Self.run))
        let queue = WorkQueue(count: (count + Self.run - 1) / Self.run)
        WorkerThreads.run(workers) { _ in
            let scratch = WorkerScratch()
            while let number = queue.next() {
                let values = number * Self.run..<min((number + 1) * Self.run, count)
                let part = target.bytes[values.lowerBound * width..<values.upperBound * width]
                self.write(tensor, values, into: UnsafeMutableRawBufferPointer(rebasing: part), scratch)
            }
        }
    }

    /// Memory that several threads fill, each its own part.
    private struct Target: @unchecked Sendable {
        let bytes: UnsafeMutableRawBufferPointer
        init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }
    }

    /// Some of a tensor's values after all changes, as they are stored.
    func write(
        _ tensor: TensorRecord, _ values: Range<Int>, into output: UnsafeMutableRawBufferPointer,
        _ scratch: WorkerScratch
    ) {
        guard let target = output.baseAddress, let own = widen(tensor, of: model, values, scratch, 0) else { return }
        let other = base.flatMap { base in
            base.tensors[tensor.name].flatMap { widen($0, of: base, values, scratch, 1) }
        }
        let changed = UnsafeMutableBufferPointer(start: own, count: values.count)
        for (number, change) in (changes[tensor.name] ?? []).enumerated() {
            // Each was planned on what those before it leave as it is stored.
            if number > 0 { tensor.type.widen(target, into: own, values.count) }
            change.apply(from: values.lowerBound, to: changed, base: other.map { UnsafePointer($0) })
            tensor.type.narrow(UnsafePointer(own), into: target, values.count)
        }
    }

    private func widen(
        _ tensor: TensorRecord, of checkpoint: Checkpoint, _ values: Range<Int>, _ scratch: WorkerScratch, _ number: Int
    ) -> UnsafeMutablePointer<Double>? {
        guard let bytes = checkpoint.bytes(of: tensor).baseAddress else { return nil }
        let target = scratch.buffer(number, of: Double.self, count: values.count)
        tensor.type.widen(bytes + values.lowerBound * tensor.type.bitWidth / 8, into: target, values.count)
        return target
    }

    /// What makes a tensor that changes and that no element acts on; nil for any other.
    func producer(of tensor: TensorSpec) -> (any TensorProducer)? {
        guard makes(tensor.name), let record = model.tensors[tensor.name] else { return nil }
        return ChangeProducer(record, of: self, inputs: [model] + others)
    }
}

/// Writes one changed tensor.
private final class ChangeProducer: TensorProducer {
    let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)]
    let tiles: [Range<Int>]
    private let tensor: TensorRecord
    private let weights: ChangedWeights

    init(_ tensor: TensorRecord, of weights: ChangedWeights, inputs: [Checkpoint]) {
        (self.tensor, self.weights) = (tensor, weights)
        self.inputs = inputs.map { ($0, tensor) }
        tiles = tensor.spec.tiles(ofValues: ChangedWeights.run)
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        let width = tensor.type.bitWidth / 8
        weights.write(tensor, tile.lowerBound / width..<tile.upperBound / width, into: output, scratch)
    }

    func finish() {}
}
