/// Lets go of a tensor's pages while it is read, each time that so many bytes of it were: no more than that counts as this process's
/// memory, however large the tensor is and in whatever order it is read.
package struct PageWindow {
    private static let bytes = 16 << 20

    private let checkpoint: Checkpoint
    private let tensor: TensorRecord
    private var read = 0

    package init(_ checkpoint: Checkpoint, _ tensor: TensorRecord) {
        (self.checkpoint, self.tensor) = (checkpoint, tensor)
    }

    /// To be called once the bytes are no longer looked at.
    package mutating func didRead(_ bytes: Int) {
        read += bytes
        guard read >= Self.bytes else { return }
        read = 0
        checkpoint.releasePages(of: tensor)
    }
}
