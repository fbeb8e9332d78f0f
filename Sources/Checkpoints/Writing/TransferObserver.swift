/// Sees every byte that a writer moves, and may end with files of its own.
public protocol TransferObserver: Sendable {
    /// A file beside the weights, as it is copied.
    func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) throws

    /// A run of a tensor's bytes as they were read and as they will be written, from any thread, in any order; the runs of a
    /// tensor cover it once, in whole elements. A tensor without bytes has none.
    ///
    /// - Parameters:
    ///   - range: of the run within the tensor's data.
    ///   - isRewritten: false where the tensor is copied.
    func moved(
        _ tensor: TensorRecord, _ range: Range<Int>, from input: UnsafeRawBufferPointer,
        to output: UnsafeRawBufferPointer,
        isRewritten: Bool) throws

    /// Called after the last byte and before the output is published. A file that it gives takes the place of the planned one of
    /// the same name.
    func finish() throws -> [OutputPlan.Generated]
}
