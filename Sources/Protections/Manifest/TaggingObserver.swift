import Checkpoints

/// Looks at what a protection or its undoing moves: gathers tags, and refuses numbers that are none.
struct TaggingObserver: TransferObserver {
    let source: Checkpoint
    /// Nil where nothing is authenticated.
    let collector: TagCollector?
    let refusesNonFinite: Bool
    /// Called with all tags before the output is published.
    let finishing: @Sendable (Inventory) throws -> [OutputPlan.Generated]
    let isRewritten: @Sendable (TensorRecord) -> Bool

    func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) {
        collector?.add(file: file.relativePath, bytes)
    }

    func moved(
        _ tensor: TensorRecord, _ range: Range<Int>, from input: UnsafeRawBufferPointer,
        to output: UnsafeRawBufferPointer,
        isRewritten: Bool
    ) throws {
        // The rewriters look at what they write themselves.
        if refusesNonFinite, !isRewritten, NonFinite.count(in: output, of: tensor.type) > 0 {
            throw ProtectionError.nonFinite(
                tensor: tensor.name, count: NonFinite.count(in: source.bytes(of: tensor), of: tensor.type))
        }
        try collector?.add(
            tensor, at: range.lowerBound, input: input, output: output, isRewritten: isRewritten)
    }

    /// Every tag of this run.
    var inventory: Inventory {
        collector?.inventory(of: source.tensors.values, isRewritten: isRewritten) ?? Inventory()
    }

    func finish() throws -> [OutputPlan.Generated] { try finishing(inventory) }
}
