import Synchronization

/// A tensor's bytes, for as long as this is held.
package final class TensorContent: @unchecked Sendable {
    package let bytes: UnsafeRawBufferPointer
    /// Whose memory it is; nil where it is this one's own.
    private let owner: AnyObject?

    /// - Parameter owner: keeps the memory.
    init(_ bytes: UnsafeRawBufferPointer, of owner: AnyObject) { (self.bytes, self.owner) = (bytes, owner) }

    /// Memory of its own, filled once.
    init(byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
        fill(memory)
        (bytes, owner) = (UnsafeRawBufferPointer(memory), nil)
    }

    deinit { if owner == nil { bytes.deallocate() } }
}

/// Makes tensors that stand in for some of a checkpoint's.
package protocol TensorSource: AnyObject, Sendable {
    /// What is read for them besides that checkpoint.
    var others: [Checkpoint] { get }

    func makes(_ name: String) -> Bool
    /// The same bytes each time.
    func fill(_ tensor: TensorRecord, _ output: UnsafeMutableRawBufferPointer)
}

/// Tensors that are made when they are asked for, and dropped when nobody holds them unless all are kept.
final class MadeTensors: Sendable {
    private struct Held { weak var content: TensorContent? }

    /// One tensor's: whoever asks while it is being made waits for it.
    private final class Slot: Sendable { let held = Mutex(Held()) }

    /// As many of the last ones stay, as some are asked for piece by piece.
    private static let kept = 2

    let source: any TensorSource
    /// What makes the others, where they are made, too.
    private let beneath: MadeTensors?
    private let slots = Mutex<[String: Slot]>([:])
    private let latest = Mutex<[TensorContent]>([])
    private let keepsAll: Bool

    /// - Parameter keepsAll: whether what was made once stays in memory.
    init(_ source: any TensorSource, over beneath: MadeTensors?, keepingAll keepsAll: Bool) {
        (self.source, self.beneath, self.keepsAll) = (source, beneath, keepsAll)
    }

    func makes(_ name: String) -> Bool { source.makes(name) || beneath?.makes(name) == true }

    func content(of tensor: TensorRecord) -> TensorContent {
        if !source.makes(tensor.name), let beneath { return beneath.content(of: tensor) }
        let slot = slots.withLock { slots in
            if let slot = slots[tensor.name] { return slot }
            let slot = Slot()
            slots[tensor.name] = slot
            return slot
        }
        let content = slot.held.withLock { held in
            if let content = held.content { return content }
            let made = TensorContent(byteCount: tensor.byteCount) { source.fill(tensor, $0) }
            held.content = made
            return made
        }
        latest.withLock { latest in
            guard !latest.contains(where: { $0 === content }) else { return }
            latest = (keepsAll ? latest : latest.suffix(Self.kept - 1)) + [content]
        }
        return content
    }
}
