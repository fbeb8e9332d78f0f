/// Sees every byte that a writer writes, and may end with files of its own.
public protocol TransferObserver: Sendable {
    /// A file beside the weights, as it is copied.
    func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) throws

    /// A run of a tensor's bytes as they will be written, from any thread, in any order; the runs of a tensor cover it once, in
    /// whole elements. A tensor without bytes has none.
    ///
    /// - Parameter range: of the run within the tensor's data.
    func moved(_ tensor: OutputTensor, _ range: Range<Int>, _ output: UnsafeRawBufferPointer) throws

    /// Called after the last byte and before the output is published. A file that it gives takes the place of the planned one of
    /// the same name.
    func finish() throws -> [OutputPlan.Generated]
}
