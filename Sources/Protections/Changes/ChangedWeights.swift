import Architectures
import Checkpoints
import Foundations
import Rewriting
import Synchronization

/// A model's weights with some tensors changed: everything that looks at weights afterwards sees these.
final class ChangedWeights: TensorSource {
    /// Values that change at once.
    static let run = 1 << 15

    private let model: Checkpoint
    private let base: Checkpoint?
    /// In the order in which they act.
    private let changes: [String: [any TensorChange]]
    /// What the model has besides; nil where only weights change.
    private let restatement: Restatement?
    private let threads: Int
    /// What users are to be told of the changes.
    let notes: [String]

    init(
        _ model: Checkpoint, base: Checkpoint?, changes: [String: [any TensorChange]],
        restatedAs restatement: Restatement? = nil, threads: Int?, notes: [String] = []
    ) {
        (self.model, self.base, self.changes) = (model, base, changes)
        (self.restatement, self.notes) = (restatement, notes)
        self.threads = WorkerThreads.count(threads)
    }

    /// Plans what steps change of a model, each seeing what those before it have changed.
    /// - Returns: nil where nothing is changed.
    convenience init?(
        _ steps: ProtectionSteps, of model: Checkpoint, _ architecture: Architecture, options: ProtectionOptions,
        by derivation: Derivation, scratch: String
    ) throws {
        let (base, threads) = (options.base, options.threads)
        let notes = Mutex<[String]>([])
        var changes = try options.adapter?.changes().mapValues { [$0] } ?? [:]
        func changed() -> Checkpoint {
            changes.isEmpty
                ? model
                : Checkpoint(model, making: ChangedWeights(model, base: base, changes: changes, threads: threads))
        }
        for (number, step) in steps.all.enumerated() {
            guard let change = step.change else { continue }
            let seen = changed()
            let context = ChangeContext(
                model: seen, base: base, architecture: architecture, step: step, inputs: options.calibration,
                threads: threads, scratch: scratch, note: { text in notes.withLock { $0.append(text) } }
            ) { derivation.stream(site: $0, step: number) }
            if change.needsBase, let base {
                try BaseModel.check(base, against: seen, for: Set(change.tensors(context).map(\.name)))
            }
            for (name, planned) in try change.plan(context) { changes[name, default: []].append(planned) }
        }
        // Polynomials come last, as they are stated for what all other changes leave.
        var restatement: Restatement?
        if let (number, step) = steps.all.enumerated().first(where: { $0.element.ffn != nil }),
            let inputs = options.calibration
        {
            let polynomials = try Polynomials(step, of: changed(), architecture, inputs: inputs, threads: threads) {
                derivation.stream(site: $0, step: number)
            }
            for (name, change) in polynomials.changes { changes[name, default: []].append(change) }
            restatement = polynomials.restatement
        }
        guard !changes.isEmpty else { return nil }
        self.init(
            model, base: base, changes: changes, restatedAs: restatement, threads: threads,
            notes: notes.withLock(\.self))
    }

    /// The model with these weights.
    var checkpoint: Checkpoint { Checkpoint(model, making: self, restatedAs: restatement) }

    var others: [Checkpoint] { [base].compactMap(\.self) }
    var names: [String] { (Array(changes.keys) + (restatement?.tensors.map(\.record.name) ?? [])).sorted() }

    func makes(_ name: String) -> Bool { changes[name] != nil || added(name) != nil }

    private func added(_ name: String) -> Restatement.Tensor? {
        restatement?.tensors.first { $0.record.name == name }
    }

    func fill(_ tensor: TensorRecord, _ output: UnsafeMutableRawBufferPointer) {
        if let added = added(tensor.name) { return output.copyBytes(from: added.bytes) }
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
        let offset = values.lowerBound * tensor.type.bitWidth / 8
        guard let target = output.baseAddress, let stored = model.bytes(of: tensor).baseAddress else { return }
        let other = base.flatMap { base in
            base.tensors[tensor.name].flatMap {
                $0.type == tensor.type && $0.shape == tensor.shape ? base.bytes(of: $0).baseAddress : nil
            }
        }
        // Each was planned on what those before it leave as it is stored.
        for (number, change) in (changes[tensor.name] ?? []).enumerated() {
            change.rewrite(
                StoredRun(
                    type: tensor.type, start: values.lowerBound, count: values.count,
                    own: number > 0 ? UnsafeRawPointer(target) : stored + offset, base: other.map { $0 + offset },
                    target: target),
                scratch)
        }
    }

    /// What makes a tensor that changes and that no element acts on; nil for any other.
    func producer(of tensor: TensorSpec) -> (any TensorProducer)? {
        if let added = added(tensor.name) { return StoredProducer(added.bytes) }
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
