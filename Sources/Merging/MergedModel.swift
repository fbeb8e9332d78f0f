import Checkpoints
import Foundations
import Synchronization

/// A merge that is evaluated without being written: its tensors are made in memory when they are asked for.
///
/// What is made is what `Merger` would write, to the bit.
package struct MergedModel {
    package let checkpoint: Checkpoint
    private let weights: MergedWeights

    /// A model that is merged.
    package struct Source {
        package let model: Checkpoint
        let settings: MergeConfiguration.Settings
        let evidence: Evidence?

        /// What methods look at besides weights: a model that can be run, of which this may be a part, and a file as `MergeMethod.Evidence` says.
        package struct Evidence {
            let whole: Checkpoint
            let path: String

            package init(whole: Checkpoint, path: String) { (self.whole, self.path) = (whole, path) }
        }

        /// - Parameter settings: numbers alone.
        package init(_ model: Checkpoint, settings: MergeConfiguration.Settings, evidence: Evidence? = nil) {
            (self.model, self.settings, self.evidence) = (model, settings, evidence)
        }
    }

    /// Models merged by a method.
    ///
    /// - Parameters:
    ///   - models: those that are merged besides the base. Nothing is asked of their architectures.
    ///   - base: whose other files go along; the first model's where there is none.
    ///   - settings: what is said of all.
    ///   - keeping: whether every tensor stays in memory once it is made; otherwise the last few do.
    ///   - folder: where matrices that methods look at are put down while they are needed.
    /// - Throws: `MergeError`. What is found only where values are looked at, `checked` throws.
    package init(
        _ method: MergeMethod, _ models: [Source], base: Checkpoint?, settings: MergeConfiguration.Settings = [:],
        seed: UInt64 = 0, keeping: Bool, folder: String = ".", threads: Int?
    ) throws {
        var (named, wholes): ([String: Checkpoint], [String: Checkpoint]) = ([:], [:])
        var sources: [MergeConfiguration.Source] = []
        for (number, source) in models.enumerated() {
            let name = "\(number + 1)"
            (named[name], wholes[name]) = (source.model, source.evidence?.whole)
            sources.append(.init(name, settings: source.settings, evidence: source.evidence?.path))
        }
        if let base { named["0"] = base }
        let configuration = MergeConfiguration(method, sources, base: base == nil ? nil : "0", settings: settings)
        let plan = try MergePlan(configuration, models: named, vocabulary: nil, byName: true)
        let merger = Merger(configuration, seed: seed, byName: true, threads: threads)
        let evidence = try MergeEvidence(
            of: configuration, models: wholes, folder: folder, threads: WorkerThreads.count(threads))
        var producers: [String: any TensorProducer] = [:]
        for item in plan.items { producers[item.spec.name] = try merger.producer(of: item, evidence) }
        weights = MergedWeights(producers, of: Array(named.values), threads: WorkerThreads.count(threads))
        checkpoint = Checkpoint(plan.donor, making: weights, keeping: keeping)
    }

    /// What is found of the merged model.
    /// - Throws: why a tensor that was asked for could not be made; what was read of it says nothing.
    package func checked<Result>(_ find: (Checkpoint) throws -> Result) throws -> Result {
        let found = Swift.Result { try find(checkpoint) }
        try weights.check()
        return try found.get()
    }
}

/// Tensors that are made by producers, on several threads each.
private final class MergedWeights: TensorSource {
    let others: [Checkpoint]
    private let producers: [String: any TensorProducer]
    private let threads: Int
    private let fault = Mutex<(any Error)?>(nil)

    init(_ producers: [String: any TensorProducer], of models: [Checkpoint], threads: Int) {
        (self.producers, others, self.threads) = (producers, models, threads)
    }

    func makes(_ name: String) -> Bool { producers[name] != nil }

    func fill(_ tensor: TensorRecord, _ output: UnsafeMutableRawBufferPointer) {
        guard let producer = producers[tensor.name] else { return }
        // Every tile writes a part of its own.
        nonisolated(unsafe) let output = output
        do {
            let tiles = producer.tiles
            try WorkerThreads.forEach(tiles.count, threads: threads) { number, scratch in
                let part = UnsafeMutableRawBufferPointer(rebasing: output[tiles[number]])
                try producer.write(tiles[number], into: part, scratch: scratch)
            }
            producer.finish()
        } catch {
            for index in output.indices { output[index] = 0 }
            fault.withLock { $0 = $0 ?? error }
        }
    }

    func check() throws {
        if let fault = fault.withLock(\.self) { throw fault }
    }
}
