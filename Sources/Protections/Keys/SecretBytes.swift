import Glibc

/// Memory that is overwritten before it is given back: for what must not linger in a process.
final class SecretBytes: @unchecked Sendable {
    /// Never written once the object is shared.
    let buffer: UnsafeMutableRawBufferPointer

    /// Zeros.
    init(count: Int) {
        buffer = .allocate(byteCount: max(count, 1), alignment: 16)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    init(copying bytes: UnsafeRawBufferPointer) {
        buffer = .allocate(byteCount: max(bytes.count, 1), alignment: 16)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        buffer.copyMemory(from: bytes)
    }

    deinit {
        wipe()
        buffer.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(buffer) }

    /// The compiler may not leave this out, as it may a plain store to memory that nobody reads again.
    func wipe() { if let base = buffer.baseAddress { explicit_bzero(base, buffer.count) } }

    /// In a time that does not depend on where the two differ.
    static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
