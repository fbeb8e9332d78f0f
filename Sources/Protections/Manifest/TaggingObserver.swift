import Checkpoints
import Rewriting

/// Looks at what a protection or its undoing moves: gathers tags, and refuses numbers that are none.
struct TaggingObserver: TransferObserver {
    let source: Checkpoint
    /// Tensors that the output holds besides the source's, and the source's bytes that they are made of.
    var added: [TensorRecord] = []
    /// Nil where nothing is authenticated.
    let collector: TagCollector?
    let refusesNonFinite: Bool
    /// Called with all tags before the output is published.
    let finishing: @Sendable (Inventory) throws -> [OutputPlan.Generated]
    let isRewritten: @Sendable (TensorRecord) -> Bool

    func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) {
        collector?.add(file: file.relativePath, bytes)
    }

    func moved(_ tensor: OutputTensor, _ range: Range<Int>, _ output: UnsafeRawBufferPointer) throws {
        guard let counterpart = source.tensors[tensor.name] ?? added.first(where: { $0.name == tensor.name }) else {
            return
        }
        // The rewriters look at what they write themselves.
        if refusesNonFinite, !isRewritten(counterpart), NonFinite.count(in: output, of: tensor.spec.type) > 0 {
            throw RewritingError.nonFinite(
                tensor: tensor.name,
                count: NonFinite.count(in: source.content(of: counterpart).bytes, of: tensor.spec.type))
        }
        if let collector {
            guard isRewritten(counterpart) else {
                return try collector.add(kept: counterpart, at: range.lowerBound, output)
            }
            let content = source.content(of: counterpart)
            try collector.add(
                rewritten: counterpart, at: range.lowerBound,
                input: UnsafeRawBufferPointer(rebasing: content.bytes[range]), output: output)
        }
        // A tensor that changed places is read for its tag alone.
        if range.upperBound == tensor.byteCount { source.releasePages(of: counterpart) }
    }

    /// Every tag of this run.
    var inventory: Inventory {
        collector?.inventory(of: source.tensors.values, isRewritten: isRewritten) ?? Inventory()
    }

    func finish() throws -> [OutputPlan.Generated] { try finishing(inventory) }
}
