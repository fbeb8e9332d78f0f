import Glibc

/// Memory that one worker keeps from tile to tile.
public final class WorkerScratch {
    private static let largePage = 2 << 20
    private var buffers: [Int: UnsafeMutableRawBufferPointer] = [:]

    public init() {}

    deinit {
        for buffer in buffers.values { buffer.deallocate() }
    }

    /// At least `count` elements, aligned to a page, with unspecified content. The same slot gives the same memory again.
    public func buffer<T: BitwiseCopyable>(_ slot: Int, of type: T.Type, count: Int) -> UnsafeMutablePointer<T> {
        let bytes = max(count, 1) * MemoryLayout<T>.stride
        if let existing = buffers[slot], existing.count >= bytes {
            return existing.baseAddress.map { $0.assumingMemoryBound(to: T.self) } ?? allocate(slot, bytes, T.self)
        }
        return allocate(slot, bytes, T.self)
    }

    private func allocate<T>(_ slot: Int, _ bytes: Int, _ type: T.Type) -> UnsafeMutablePointer<T> {
        buffers[slot]?.deallocate()
        // A large buffer asks for large pages, which direct writes pin with less work.
        let isLarge = bytes >= Self.largePage
        let base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: isLarge ? Self.largePage : 4096)
        if isLarge { madvise(base, bytes, Int32(MADV_HUGEPAGE)) }
        buffers[slot] = UnsafeMutableRawBufferPointer(start: base, count: bytes)
        return base.assumingMemoryBound(to: T.self)
    }
}
