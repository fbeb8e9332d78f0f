import Checkpoints
import Synchronization

/// Collects the tags of everything that one run moves: every tensor on both sides, and every file beside them.
final class TagCollector: Sendable {
    private struct Place: Hashable {
        let tensor: String
        let isOutput: Bool
    }

    private let authenticator: Authenticator
    /// A restoring run reads the protected side and writes the original one.
    private let isInverse: Bool
    private let gatherers = Mutex<[Place: TagGatherer]>([:])
    private let collected = Mutex(Inventory())

    init(_ authenticator: Authenticator, isInverse: Bool) {
        self.authenticator = authenticator
        self.isInverse = isInverse
    }

    func add(file path: String, _ bytes: UnsafeRawBufferPointer) {
        let tag = authenticator.tag(file: path, bytes)
        collected.withLock { $0.files[path] = tag }
    }

    func add(kept tensor: TensorRecord, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws {
        try add(tensor, .kept, bytes, at: offset, isOutput: true)
    }

    func add(
        rewritten tensor: TensorRecord, at offset: Int, input: UnsafeRawBufferPointer, output: UnsafeRawBufferPointer
    ) throws {
        try add(tensor, isInverse ? .protected : .original, input, at: offset, isOutput: false)
        try add(tensor, isInverse ? .original : .protected, output, at: offset, isOutput: true)
    }

    /// - Parameter tensors: all of them; those without bytes were never moved.
    func inventory(of tensors: some Sequence<TensorRecord>, isRewritten: (TensorRecord) -> Bool) -> Inventory {
        var tags = collected.withLock(\.self)
        for tensor in tensors where tensor.byteCount == 0 {
            func nothing(_ side: Authenticator.Side) -> AuthenticationTag {
                TagGatherer(tensor, side, authenticator).tagOfNothing()
            }
            tags.tensors[tensor.name] =
                isRewritten(tensor)
                ? TensorTags(protected: nothing(.protected), original: nothing(.original))
                : TensorTags(protected: nothing(.kept), original: nil)
        }
        return tags
    }

    private func add(
        _ tensor: TensorRecord, _ side: Authenticator.Side, _ bytes: UnsafeRawBufferPointer, at offset: Int,
        isOutput: Bool
    ) throws {
        let place = Place(tensor: tensor.name, isOutput: isOutput)
        let gatherer = gatherers.withLock { gatherers in
            if let gatherer = gatherers[place] { return gatherer }
            let made = TagGatherer(tensor, side, authenticator)
            gatherers[place] = made
            return made
        }
        guard let tag = try gatherer.absorb(bytes, at: offset) else { return }
        gatherers.withLock { $0[place] = nil }
        collected.withLock { collected in
            var tags = collected.tensors[tensor.name] ?? TensorTags(protected: .placeholder, original: nil)
            if side == .original { tags.original = tag } else { tags.protected = tag }
            collected.tensors[tensor.name] = tags
        }
    }
}
