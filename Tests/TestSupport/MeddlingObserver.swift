import Checkpoints

/// Does something of its own while an output is written.
public struct MeddlingObserver: TransferObserver {
    private let act: @Sendable () throws -> Void

    public init(_ act: @escaping @Sendable () throws -> Void) { self.act = act }

    public func copied(_ file: DirectoryEntry, _ bytes: UnsafeRawBufferPointer) throws {
        if file.relativePath == "config.json" { try act() }
    }

    public func moved(_ tensor: OutputTensor, _ range: Range<Int>, _ output: UnsafeRawBufferPointer) {}
    public func finish() -> [OutputPlan.Generated] { [] }
}
