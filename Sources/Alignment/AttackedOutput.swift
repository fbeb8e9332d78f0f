import Checkpoints

/// Writes what an attack made of models: with the protected one's files but for its manifest, and with numbers alone in all that was made.
struct AttackedOutput: TransferObserver {
    /// What tensors were made of.
    private let models: [Checkpoint]

    /// - Throws: `AlignmentError` where what was made is no number.
    static func write(_ made: Checkpoint, of models: [Checkpoint], to path: String, threads: Int) throws {
        try CheckpointWriter(threads: threads).write(
            .keepingShards(of: made, dropping: [Checkpoint.manifestName]), to: path,
            observer: AttackedOutput(models: models))
    }

    func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) {}

    func moved(_ tensor: OutputTensor, _ range: Range<Int>, _ output: UnsafeRawBufferPointer) throws {
        guard !tensor.isCopied, NonFinite.count(in: output, of: tensor.spec.type) > 0 else { return }
        for model in models { try model.checkFinite(tensor.name) }
        throw AlignmentError.overflow(tensor: tensor.name, type: tensor.spec.type)
    }

    func finish() -> [OutputPlan.Generated] { [] }
}

extension Checkpoint {
    /// - Throws: `AlignmentError.nonFinite` where a tensor of this name holds what is no number.
    func checkFinite(_ name: String) throws(AlignmentError) {
        guard let tensor = tensors[name] else { return }
        let content = content(of: tensor)
        defer { withExtendedLifetime(content) {} }
        if NonFinite.count(in: content.bytes, of: tensor.type) > 0 {
            throw .nonFinite(path: path, tensor: name)
        }
        releasePages(of: tensor)
    }
}
